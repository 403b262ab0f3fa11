// One effect for each run that the gateway answered, none for unknown, whatever is killed.

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/messages/examples/exampletest"
	"protocolq/messages/protocolqtest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func TestNext(t *testing.T) {
	yes, no := new(true), new(false)
	for want, all := range map[effect][]messages.Event{
		release:    {{Outcome: messages.Signed, ChargeAgent: yes, RefundCharge: yes}},
		askToSign:  {{Outcome: messages.NotSigned}, {Outcome: messages.Signed, ChargeAgent: yes, RefundCharge: no}, {Outcome: messages.Signed, ChargeAgent: yes}},
		lookCloser: {{Outcome: messages.Abnormal}, {Outcome: messages.Refused}},
		none:       {{Outcome: messages.Unknown}, {Outcome: messages.Unknown, ChargeAgent: yes, RefundCharge: yes}, {}},
	} {
		for _, e := range all {
			if got := next(&e); got != want {
				t.Errorf("%+v: %q, want %q", e, got, want)
			}
		}
	}
}

func TestAfter(t *testing.T) {
	for _, tt := range []struct {
		r     messages.Result
		err   error
		state string
		wait  time.Duration
	}{
		{messages.Result{Outcome: messages.Unknown, Retryable: true, RetryAfterMs: 700}, nil, "unknown", 700 * time.Millisecond},
		{messages.Result{Outcome: messages.Unknown, Retryable: true}, nil, "unknown", 100 * time.Millisecond},
		{messages.Result{}, fmt.Errorf("away"), "unknown", time.Second},
		{messages.Result{Outcome: messages.Unknown}, nil, "answered", 0},
		{messages.Result{Outcome: messages.NotSigned}, nil, "answered", 0},
	} {
		if state, wait := after(&tt.r, tt.err); state != tt.state || wait != tt.wait {
			t.Errorf("%+v: %s, %v", tt.r, state, wait)
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

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, q: protocolqtest.Start(t), file: filepath.Join(t.TempDir(), "orchestration.db")}
	rows, err := open(t.Context(), b.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rows.Close() })
	b.rows = rows
	return b
}

func (b *bench) start(lines string) *exampletest.Process {
	b.t.Helper()
	return exampletest.Start(b.t, lines, "-nats", b.q.URL, "-store", b.file)
}

// count returns the number that a query counts.
func (b *bench) count(query string) (n int) {
	b.t.Helper()
	if err := b.rows.QueryRowContext(b.t.Context(), query).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// A run makes its effect once, whichever process gets the event, and when.
func TestOneEffectForEachRun(t *testing.T) {
	b := newBench(t)
	if err := b.rows.add(t.Context(), "order-1", "zhang@example.com"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if made, err := b.rows.settle(t.Context(), "run-1", "order-1", release); err != nil || made != want {
			t.Errorf("%d: %v, %v", i, made, err)
		}
	}
	if made, err := b.rows.settle(t.Context(), "run-2", "of somebody else", release); err != nil || made {
		t.Errorf("%v, %v", made, err)
	}
	if n := b.count(`SELECT count(*) FROM effects`); n != 1 {
		t.Errorf("%d effects", n)
	}
}

// While the answer is unknown there are events but no effect. Then it is asked again, and one
// effect follows.
func TestNoEffectOnUnknown(t *testing.T) {
	b := newBench(t)
	b.q.StopGateway()
	p := b.start("order-1," + protocolqtest.Email("signed", "zhang") + "\n")
	exampletest.Eventually(t, "two events of unknown", func() bool { return strings.Count(p.Said(), "outcome=unknown") >= 2 })
	if n := b.count(`SELECT count(*) FROM effects`); n != 0 {
		t.Errorf("%d effects, and nobody knows", n)
	}
	b.q.StartGateway()
	exampletest.Eventually(t, "the effect", func() bool { return b.count(`SELECT count(*) FROM effects`) > 0 })
	p.Stop()
	if n := b.count(`SELECT count(*) FROM effects WHERE what = 'release'`); n != 1 {
		t.Errorf("%d effects", n)
	}
}

// What is refused before it is a run has no event; its effect follows all the same.
func TestEffectOfWhatIsNoRun(t *testing.T) {
	b := newBench(t)
	p := b.start("order-0,no address\norder-1," + protocolqtest.Email("signed", "zhang") + "\n")
	exampletest.Eventually(t, "the effects", func() bool { return b.count(`SELECT count(*) FROM effects`) >= 2 })
	p.Stop()
	if n := b.count(`SELECT count(*) FROM effects WHERE order_id = 'order-0' AND what = 'look_closer'`); n != 1 {
		t.Errorf("%d effects", n)
	}
}

// Every part is killed in turn, the program itself most often.
func TestEffectsOverKills(t *testing.T) {
	b := newBench(t)
	effects := map[string]effect{"signed": release, "debit-only": askToSign, "not-signed": askToSign, "abnormal": lookCloser, "system-error-6": release,
		"fault-drop-2": release, "fault-delay-300ms": release}
	const rounds = 6
	var lines strings.Builder
	program := b.start("")
	for round := range rounds {
		for part := range effects {
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
			exampletest.Eventually(t, "one more effect", func() bool { return b.count(`SELECT count(*) FROM effects`) > round })
		}
	}
	exampletest.Eventually(t, "an effect for each order", func() bool {
		return b.count(`SELECT count(DISTINCT order_id) FROM effects`) == rounds*len(effects)
	})
	program.Stop()
	if n := b.count(`SELECT count(*) FROM effects`); n != b.count(`SELECT count(DISTINCT run) FROM effects`) {
		t.Errorf("%d effects, which are more than runs", n)
	}
	for part, want := range effects {
		if n := b.count(fmt.Sprintf(`SELECT count(*) FROM effects WHERE order_id LIKE '%s-_' AND what <> '%s'`, part, want)); n != 0 {
			t.Errorf("%d wrong effects of %s", n, part)
		}
	}
}
