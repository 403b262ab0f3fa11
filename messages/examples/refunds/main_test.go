// No refund without a "yes" of the gateway, and none twice, whatever is killed.

package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/messages/examples/exampletest"
	"protocolq/messages/protocolqtest"
	"protocolq/worker"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestNext(t *testing.T) {
	for want, all := range map[step][]messages.Result{
		pay:   {{Outcome: messages.Signed, ChargeAgent: new(false), RefundCharge: new(true)}},
		again: {{Outcome: messages.Unknown, Retryable: true}},
		stopHere: {
			{Outcome: messages.Signed, ChargeAgent: new(true), RefundCharge: new(false)}, {Outcome: messages.Signed},
			{Outcome: messages.NotSigned}, {Outcome: messages.Abnormal}, {Outcome: messages.Refused}, {Outcome: messages.Unknown}, {},
			{Outcome: messages.NotSigned, RefundCharge: new(true)},
		},
	} {
		for _, r := range all {
			if got := next(&r); got != want {
				t.Errorf("%+v: %s, want %s", r, got, want)
			}
		}
	}
}

// bench is the program with its file, on a fleet.
type bench struct {
	t    *testing.T
	q    *protocolqtest.Fleet
	file string
	rows *store
}

func newBench(t *testing.T, o protocolqtest.Options) *bench {
	t.Helper()
	b := &bench{t: t, q: protocolqtest.StartWith(t, o), file: filepath.Join(t.TempDir(), "refunds.db")}
	rows, err := open(t.Context(), b.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	b.rows = rows
	return b
}

func (b *bench) start(lines string, args ...string) *exampletest.Process {
	b.t.Helper()
	return exampletest.Start(b.t, lines, append([]string{"-nats", b.q.URL, "-store", b.file}, args...)...)
}

// count returns the number that a query counts.
func (b *bench) count(query string) (n int) {
	b.t.Helper()
	if err := b.rows.QueryRowContext(b.t.Context(), query).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// It is asked again when the workers say so, and not before.
func TestUnknownWaits(t *testing.T) {
	rows, err := open(t.Context(), filepath.Join(t.TempDir(), "refunds.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if err := rows.add(t.Context(), "R-1", "zhang@example.com"); err != nil {
		t.Fatal(err)
	}
	p := &pipeline{store: rows, log: slog.New(slog.DiscardHandler)}
	unknown := messages.Result{ID: "R-1", Outcome: messages.Unknown, Retryable: true, RetryAfterMs: time.Hour.Milliseconds()}
	if err := p.answered(t.Context(), ask.Reply{Result: unknown}); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]int{59 * time.Minute: 0, 61 * time.Minute: 1} {
		if due, err := rows.due(t.Context(), time.Now().Add(after)); err != nil || len(due) != want {
			t.Errorf("after %v: %v, %v", after, due, err)
		}
	}
}

// While the answer is unknown nothing is paid. When the gateway is back, it is asked again, and
// paid once.
func TestNoRefundOnUnknown(t *testing.T) {
	// The second time, the run before still has to cool down, and is named again.
	b := newBench(t, protocolqtest.Options{Worker: func(o *worker.Options) { o.Cooldown = 2 * time.Second }})
	b.q.StopGateway()
	p := b.start("R-1,"+protocolqtest.Email("signed", "zhang")+"\n", "-patience", "300ms")
	exampletest.Eventually(t, "unknown again and again", func() bool { return strings.Count(p.Said(), "step=unknown") >= 4 })
	if n := b.count(`SELECT count(*) FROM payments`); n != 0 {
		t.Errorf("%d payments, and nobody knows", n)
	}
	b.q.StartGateway()
	exampletest.Eventually(t, "the payment", func() bool { return b.count(`SELECT count(*) FROM refunds WHERE state = 'paid'`) == 1 })
	p.Stop()
	if n := b.count(`SELECT count(*) FROM payments`); n != 1 {
		t.Errorf("%d payments", n)
	}
}

// A refund that can never be asked for stops, and holds up no other.
func TestRefundThatCannotBeAsked(t *testing.T) {
	b := newBench(t, protocolqtest.Options{})
	p := b.start("R-0,no address\nR-1," + protocolqtest.Email("signed", "zhang") + "\n")
	exampletest.Eventually(t, "the payment", func() bool { return b.count(`SELECT count(*) FROM payments WHERE refund = 'R-1'`) == 1 })
	p.Stop()
	if n := b.count(`SELECT count(*) FROM refunds WHERE id = 'R-0' AND state = 'stopped'`); n != 1 || !strings.Contains(p.Said(), "user_email") {
		t.Errorf("%d stopped: %s", n, p.Said())
	}
}

// Every part is killed in turn, the pipeline itself most often.
func TestRefundsOverKills(t *testing.T) {
	b := newBench(t, protocolqtest.Options{})
	parts := []string{"signed", "debit-only", "refund-only", "not-signed", "abnormal", "system-error-6", "fault-drop-2", "fault-delay-300ms"}
	const rounds, paid = 6, 5
	var lines strings.Builder
	program := b.start("")
	for round := range rounds {
		for _, part := range parts {
			fmt.Fprintf(&lines, "%s-%d,%s\n", part, round, protocolqtest.Email(part, fmt.Sprint(round)))
		}
		program.Kill()
		program = b.start(lines.String())
		switch round % 3 {
		case 0:
			b.q.StopNATS()
			<-time.After(200 * time.Millisecond)
			b.q.StartNATS()
		case 1:
			b.q.StartWorker()
			b.q.KillWorker()
		case 2:
			exampletest.Eventually(t, "one more paid", func() bool { return b.count(`SELECT count(*) FROM payments`) > round })
		}
	}
	exampletest.Eventually(t, "all settled", func() bool {
		return b.count(`SELECT count(*) FROM refunds WHERE state IN ('paid', 'stopped')`) == rounds*len(parts)
	})
	program.Stop()
	if n := b.count(`SELECT count(*) FROM payments`); n != rounds*paid {
		t.Errorf("%d payments, want %d", n, rounds*paid)
	}
	wrong := `SELECT count(*) FROM payments WHERE refund LIKE 'debit-only%' OR refund LIKE 'not-signed%' OR refund LIKE 'abnormal%' OR run = ''`
	if n := b.count(wrong); n != 0 {
		t.Errorf("%d payments to who did not agree", n)
	}
}
