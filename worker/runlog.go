// Run log: one line for each run at its end, quiet when all is well, loud when somebody must act.

package worker

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
	"protocolq/worker/querylog"
)

// runLog writes lines of runs. It belongs to one goroutine.
type runLog struct {
	log  *slog.Logger
	said map[string]*saidCode // by code, for codes in our tables
}

// saidCode is a code with which runs end. One line of it in runEvery is loud: while a gateway is
// unavailable all runs end alike, and the query log has each of them.
type saidCode struct {
	last time.Time
	n    int // runs since then
}

const runEvery = 30 * time.Second

// due counts a run for a loud line. It reports whether to log that line now, and for how many runs.
func (l *runLog) due(code string, now time.Time) (times int, due bool) {
	if _, known := Lookup(code); !known {
		code = "" // the gateway may send any text as a code
	}
	s := l.said[code]
	if s == nil {
		s = &saidCode{}
		l.said[code] = s
	}
	s.n++
	if !s.last.IsZero() && now.Sub(s.last) < runEvery {
		return 0, false
	}
	times, s.n, s.last = s.n, 0, now
	return times, true
}

// ended writes the line of a run whose answer is journalled. It names the run, never the asker's
// data. A run without a call has no line.
func (l *runLog) ended(ctx context.Context, run *outbox.Run, q *messages.Query, r *messages.Result) {
	log, level, times := l.log, levelOf(r), 0
	if level >= slog.LevelWarn {
		var due bool
		if times, due = l.due(r.Code, time.Now()); !due {
			level = slog.LevelDebug
		}
	}
	if !log.Enabled(ctx, level) {
		return
	}
	a := run.Answer
	attrs := []slog.Attr{slog.String("run", a.Run), slog.String("partner", a.Partner)}
	if q.UserEmail != "" || q.AccountNo != "" { // it may be purged
		attrs = append(attrs, slog.String("email", messages.MaskEmail(q.UserEmail)),
			slog.String("account", messages.MaskAccount(q.AccountNo)))
	}
	attrs = append(attrs, slog.String("outcome", string(r.Outcome)), slog.String("code", a.Code),
		slog.Int("attempts", r.Attempts))
	if len(run.Begins) > 0 {
		attrs = append(attrs, slog.Int64("dur_ms", run.Stored.Sub(run.Begins[0].Stored).Milliseconds()))
	}
	if times > 1 {
		attrs = append(attrs, slog.Int("times", times))
	}
	if n := len(a.Attempts); n > 0 {
		attrs = append(attrs, unread(a.Attempts[n-1])...)
	}
	log.LogAttrs(ctx, level, "run ended", attrs...)
}

// unread describes a response from the gateway's address that is not a trustworthy answer.
func unread(o journal.Outcome) []slog.Attr {
	last, err := querylog.DecodeAttempt(o.Detail)
	if err != nil || last.HTTPStatus == 0 || !strings.HasPrefix(last.Code, "GATEWAY_") {
		return nil
	}
	return []slog.Attr{slog.Int("http_status", last.HTTPStatus), slog.String("content_type", last.ContentType),
		slog.Int("bytes", last.Bytes)}
}

func levelOf(r *messages.Result) slog.Level {
	code, known := Lookup(r.Code)
	switch {
	case known &&
		(code.Class == mapi.Conf || code.Class == mapi.Bug), r.Code == gateway.CodeBadSign, r.Code == gateway.CodeTLS:
		return slog.LevelError
	case r.Outcome == messages.Unknown:
		return slog.LevelWarn
	case r.Outcome == messages.Refused, r.Attempts > 1:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
