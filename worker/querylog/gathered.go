// Messages in hand: their batch, and their acknowledgement or return.

package querylog

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// gathered is a batch with its messages.
type gathered struct {
	batch Batch
	msgs  []jetstream.Msg
	made  []made // the rows of each message, in the order of msgs
}

// made counts the rows of one message, which are next to each other in the batch.
type made struct {
	runs, asks int
	fault      error // why it is not a line
}

// add adds a message to the batch. A message that is not a line becomes a rejected row.
func (g *gathered) add(msg jetstream.Msg) {
	var m made
	switch {
	case strings.HasSuffix(msg.Subject(), ".run"):
		var runs []Run
		if runs, m.fault = DecodeRuns(msg.Data()); m.fault == nil {
			g.batch.Runs, m.runs = append(g.batch.Runs, runs...), len(runs)
		}
	case strings.HasSuffix(msg.Subject(), ".ask"):
		var asks []Ask
		if asks, m.fault = DecodeAsks(msg.Data()); m.fault == nil {
			g.batch.Asks, m.asks = append(g.batch.Asks, asks...), len(asks)
		}
	default:
		m.fault = errors.New("no line goes by this subject")
	}
	if m.fault != nil {
		g.batch.Rejected = append(g.batch.Rejected, rejection(msg, m.fault))
	}
	g.msgs, g.made = append(g.msgs, msg), append(g.made, m)
}

// rejection says that msg existed, but nothing of its content. The text of fault is this program's
// own.
func rejection(msg jetstream.Msg, fault error) Rejected {
	r := Rejected{At: time.Now(), Subject: shownSubject(clean(msg.Subject(), maxSubject), ""), Size: len(msg.Data()),
		Reason: reason(fault)}
	if meta, err := msg.Metadata(); err == nil {
		r.At, r.Stream = meta.Timestamp, meta.Sequence.Stream
	}
	return r
}

// reason is the part of a fault that may be kept, without a row that the database quotes.
func reason(fault error) string {
	if errors.Is(fault, ErrUnstorable) {
		return "the database will not take it"
	}
	return clean(fault.Error(), maxSubject)
}

// rejected is the single message of g as a rejected row.
func (g *gathered) rejected(fault error) *gathered {
	return &gathered{msgs: g.msgs, made: []made{{fault: fault}},
		batch: Batch{Rejected: []Rejected{rejection(g.msgs[0], fault)}}}
}

// hopeless says that even a rejected row cannot be stored, so that the lines are not the cause.
func (g *gathered) hopeless() bool { return len(g.batch.Runs)+len(g.batch.Asks) == 0 }

// halves splits g between two messages.
func (g *gathered) halves() (*gathered, *gathered) {
	one, other := &gathered{}, &gathered{}
	runs, asks, rejected := 0, 0, 0
	for i, m := range g.made {
		to := one
		if i >= len(g.made)/2 {
			to = other
		}
		to.msgs, to.made = append(to.msgs, g.msgs[i]), append(to.made, m)
		to.batch.Runs = append(to.batch.Runs, g.batch.Runs[runs:runs+m.runs]...)
		to.batch.Asks = append(to.batch.Asks, g.batch.Asks[asks:asks+m.asks]...)
		runs, asks = runs+m.runs, asks+m.asks
		if m.fault != nil {
			to.batch.Rejected = append(to.batch.Rejected, g.batch.Rejected[rejected])
			rejected++
		}
	}
	return one, other
}

// with combines what is left of two halves.
func (g *gathered) with(other *gathered) *gathered {
	return &gathered{msgs: append(g.msgs[:len(g.msgs):len(g.msgs)], other.msgs...)}
}

// acknowledge takes the messages out of the stream. If an ack is lost, the line is delivered again,
// which changes nothing.
func (g *gathered) acknowledge(log *slog.Logger, rejected *rejections) {
	for i, msg := range g.msgs {
		if fault := g.made[i].fault; fault != nil {
			rejected.log(log, msg, fault)
			_ = msg.TermWithReason("rejected: " + reason(fault))
			continue
		}
		_ = msg.Ack()
	}
}

// rejections are the rejected messages, which are logged for the operator now and then: each is
// also a row of the database. The zero value holds none.
type rejections struct {
	n    int // since the last log line
	said time.Time
}

// log logs that msg is rejected, on behalf of all since the last log line.
func (r *rejections) log(log *slog.Logger, msg jetstream.Msg, fault error) {
	r.n++
	now := time.Now()
	if now.Sub(r.said) < saidEvery {
		return
	}
	log.Error("message rejected", "times", r.n, "subject", shownSubject(msg.Subject(), ""), "size", len(msg.Data()),
		"reason", reason(fault))
	r.n, r.said = 0, now
}

// leaveFor is how long a message of an unknown kind is left to recorders of a later version, while
// a fleet is being upgraded. Then it is rejected.
const leaveFor = 5*time.Minute - leftDelay

// leftDelay is the time after which it is looked at again.
const leftDelay = 30 * time.Second

// leftToOthers decides whether a message on this subject, and of this age, is left.
func leftToOthers(subject string, age time.Duration) bool {
	return !strings.HasSuffix(subject, ".run") && !strings.HasSuffix(subject, ".ask") && age.Abs() < leaveFor
}

// giveBack returns the messages to the stream for a recorder that can write them. They come again
// after a pause, because an unavailable database stays unavailable for a while.
func (g *gathered) giveBack() {
	for _, msg := range g.msgs {
		_ = msg.NakWithDelay(giveBackDelay)
	}
}

const giveBackDelay = time.Second
