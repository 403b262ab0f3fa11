// How loud the line of a run is, and what it may say.

package worker

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
)

func TestRunLog(t *testing.T) {
	unsigned := gateway.Answer{Status: gateway.NotSigned, Code: "NO_SIGN_CUSTOMER"}
	page := gateway.Report{HTTPStatus: 502, Bytes: 99, ContentType: "text/html"}
	for _, c := range []struct {
		name     string
		asker    fakeAsker
		attempts int
		level    string
		has      string
	}{
		{"at once", fakeAsker{answer: unsigned}, 1, "DEBUG", "code=NO_SIGN_CUSTOMER attempts=1 dur_ms=1500"},
		{"after retries", fakeAsker{answer: unsigned}, 2, "INFO", "attempts=2"},
		{"refused", fakeAsker{err: gatewayError("ILLEGAL_EMAIL", mapi.Input, 0)}, 1, "INFO", "outcome=refused"},
		{"given up", fakeAsker{err: gatewayError("GATEWAY_HTTP_502", mapi.Temp, 0), report: page}, 5, "WARN", "http_status=502 content_type=text/html bytes=99"},
		{"misconfigured", fakeAsker{err: gatewayError("ILLEGAL_SIGN", mapi.Conf, 0)}, 1, "ERROR", "code=ILLEGAL_SIGN"},
		{"the program's fault", fakeAsker{err: gatewayError("ILLEGAL_SERVICE", mapi.Bug, 0)}, 1, "ERROR", "code=ILLEGAL_SERVICE"},
		{"untrusted", fakeAsker{err: gatewayError(gateway.CodeBadSign, mapi.Temp, 0)}, 5, "ERROR", "code=GATEWAY_BAD_SIGN"},
		{"another gateway", fakeAsker{err: gatewayError(gateway.CodeTLS, mapi.Temp, 0)}, 5, "ERROR", "code=GATEWAY_TLS"},
	} {
		query := encoded(t, messages.Query{UserEmail: "zhang@example.com", AccountNo: "2088101122223333"})
		o := newCall(callOptions{Gateway: &c.asker, Notes: &notes{}})(t.Context(), &journal.Ask{Query: query}, c.attempts, open)
		run := outbox.Run{Query: query, Stored: time.UnixMilli(3500), Begins: []outbox.Begun{{Stored: time.UnixMilli(2000)}, {Stored: time.UnixMilli(3000)}},
			Answer: &journal.Answer{Run: "r1", Partner: partnerID, Verdict: journal.Conclusive, Result: o.Result, Code: o.Code,
				Attempts: []journal.Outcome{{Code: o.Code, Detail: o.Detail}}}}
		line := logged(t, &run)
		for _, part := range []string{"level=" + c.level + " ", `msg="run ended" run=r1 partner=` + partnerID, c.has} {
			if !strings.Contains(line, part) {
				t.Errorf("%s: %q lacks %q", c.name, line, part)
			}
		}
		if strings.Count(line, "\n") != 1 || strings.Contains(line, "zhang@") || strings.Contains(line, "2088101122223333") {
			t.Errorf("%s: %q", c.name, line)
		}
		run.Query = nil
		if line := logged(t, &run); !strings.Contains(line, "level="+c.level) || strings.Contains(line, "email") {
			t.Errorf("%s, without its query: %q", c.name, line)
		}
	}
}

// logged is the line of a run, as an outbox hands it over.
func logged(t *testing.T, run *outbox.Run) string {
	t.Helper()
	var q messages.Query
	if run.Query != nil {
		var err error
		if q, _, err = messages.DecodeQuery(run.Query, ""); err != nil {
			t.Fatal(err)
		}
	}
	r, _, err := messages.DecodeResult(run.Answer.Result, "")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	lines := &runLog{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), said: map[string]*saidCode{}}
	lines.ended(t.Context(), run, &q, &r)
	return log.String()
}

// While a gateway is away all runs end alike: that is loud twice a minute, whatever codes the
// gateway invents.
func TestRunLogWhileItLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		lines := &runLog{log: slog.New(slog.NewTextHandler(&log, nil)), said: map[string]*saidCode{}}
		run := outbox.Run{Answer: &journal.Answer{Run: "r", Partner: partnerID}}
		end := func(code string) {
			lines.ended(t.Context(), &run, &messages.Query{}, &messages.Result{Outcome: messages.Unknown, Code: code, Attempts: 5})
		}
		for i := range 900 { // for 90 s
			end("GATEWAY_TIMEOUT")
			end(fmt.Sprint("MADE_UP_", i))
			if i == 500 {
				end("ILLEGAL_SIGN")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := strings.Count(log.String(), "\n"); n != 7 || strings.Count(log.String(), "times=300") != 4 {
			t.Errorf("%d lines:\n%s", n, &log)
		}
		if len(lines.said) > 3 {
			t.Errorf("%d codes are kept", len(lines.said))
		}
	})
}
