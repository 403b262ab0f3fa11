// A fleet for tests answers at once, plays every part, and survives every stop.

package protocolqtest_test

import (
	"context"
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/messages/protocolqtest"
)

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestParts(t *testing.T) {
	q := protocolqtest.Start(t)
	client := q.Client("")
	for part, want := range map[string]struct {
		outcome messages.Outcome
		code    string
		calls   int
	}{
		"signed":           {messages.Signed, "", 1},
		"not-signed":       {messages.NotSigned, "", 1},
		"no-sign-customer": {messages.NotSigned, "NO_SIGN_CUSTOMER", 1},
		"abnormal":         {messages.Abnormal, "NO_NORMAL_SIGN_CUSTOMER", 1},
		"system-error":     {messages.Unknown, "SYSTEM_ERROR", 5},
		"system-error-2":   {messages.Signed, "", 3},
		"fault-drop-1":     {messages.Signed, "", 2},
	} {
		before := len(q.Calls())
		r, err := client.Ask(within(t, 20*time.Second), messages.Query{UserEmail: protocolqtest.Email(part, "zhang")})
		if err != nil || r.Outcome != want.outcome || r.Code != want.code || len(q.Calls())-before != want.calls {
			t.Errorf("%s: %+v, %v; %d calls", part, r, err, len(q.Calls())-before)
		}
	}
	if c := q.Calls()[0]; c.Partner != protocolqtest.Partner {
		t.Errorf("%+v", c)
	}
	r, err := client.Ask(within(t, 20*time.Second), messages.Query{Partner: protocolqtest.OtherPartner, UserEmail: "signed@example.com"})
	if err != nil || r.Partner != protocolqtest.OtherPartner || r.Outcome != messages.Signed {
		t.Errorf("%+v, %v", r, err)
	}
}

// Every part is stopped in turn and comes back; submitted queries are answered.
func TestEveryoneInTurn(t *testing.T) {
	q := protocolqtest.Start(t)
	client := q.Client("refunds")
	for name, around := range map[string]struct{ before, after func() }{
		"stopped-worker": {q.StopWorker, q.StartWorker},
		"killed-worker":  {q.KillWorker, q.StartWorker},
		"server":         {func() {}, func() { q.StopNATS(); q.StartNATS() }},
		"gateway":        {q.StopGateway, q.StartGateway},
	} {
		t.Run(name, func(t *testing.T) {
			around.before()
			if _, err := client.Submit(within(t, 20*time.Second), messages.Query{ID: name, UserEmail: protocolqtest.Email("signed", name)}); err != nil {
				t.Fatal(err)
			}
			around.after()
			if r := replyTo(t, client, name); r.Outcome != messages.Signed {
				t.Errorf("%+v", r)
			}
		})
	}
}

// replyTo reads until the reply to a query comes.
func replyTo(t *testing.T, client *ask.Client, id string) (found ask.Reply) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := client.Replies(ctx, ask.ReadOptions{}, func(_ context.Context, r ask.Reply) error {
		if r.ID == id {
			found = r
			cancel()
		}
		return nil
	})
	if err != nil || found.ID == "" {
		t.Fatalf("no reply: %v", err)
	}
	return found
}

func TestOptions(t *testing.T) {
	q := protocolqtest.StartWith(t, protocolqtest.Options{Askers: []string{"till"}, Latency: 300 * time.Millisecond})
	r, err := q.Client("till").Ask(within(t, 100*time.Millisecond), messages.Query{UserEmail: "signed@example.com"})
	if err != nil || r.Code != messages.DeadlinePassed {
		t.Errorf("%+v, %v", r, err)
	}
}

// While the gateway is away the answer is unknown; afterwards the same question is answered.
func TestGatewayAway(t *testing.T) {
	q := protocolqtest.Start(t)
	client, query := q.Client(""), messages.Query{UserEmail: "signed@example.com"}
	q.StopGateway()
	r, err := client.Ask(within(t, 20*time.Second), query)
	if err != nil || r.Outcome != messages.Unknown || !r.Retryable || r.RetryAfterMs <= 0 || r.RetryAfterMs > 1000 {
		t.Errorf("%+v, %v", r, err)
	}
	q.StartGateway()
	<-time.After(time.Duration(r.RetryAfterMs) * time.Millisecond)
	if r, err := client.Ask(within(t, 20*time.Second), query); err != nil || r.Outcome != messages.Signed {
		t.Errorf("%+v, %v", r, err)
	}
}

// The best of some starts counts, because the machine may have other work.
func TestReadyAtOnce(t *testing.T) {
	best := time.Hour
	for range 5 {
		t.Run("start", func(t *testing.T) {
			begun := time.Now()
			protocolqtest.Start(t)
			best = min(best, time.Since(begun))
		})
	}
	if t.Logf("ready in %v", best); best > atOnce {
		t.Errorf("ready in %v, at the earliest of 5", best)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		protocolqtest.Start(b)
	}
}
