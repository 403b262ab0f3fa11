// Promises to askers that wait for a partner: they are woken as soon as it may be asked again.

package worker_test

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
	gate "protocolq/worker/partner"
	"protocolq/worker/publish"
)

// atOnce counts as no wait, on a busy machine: a probe, the alternative, comes a minute after the
// last one.
const atOnce = 40 * time.Second

// halts writes a partner's halt as an operator does.
func (f *fleet) halts(h gate.Halt) {
	f.t.Helper()
	if err := gate.WriteHalt(f.t.Context(), worker.PartnerRecords(f.nc, publish.New(f.nc), f.names), partner, h); err != nil {
		f.t.Fatal(err)
	}
}

// parked waits until so many asks wait for their partner.
func (f *fleet) parked(n int, all ...*member) {
	f.t.Helper()
	within(f.t, "all parked", func() bool {
		sum := 0
		for _, m := range all {
			sum += m.Stats().Parked
		}
		return sum == n
	})
}

// client asks the fleet's gateway with other settings.
func (f *fleet) client(o gateway.Options) *gateway.Client {
	f.t.Helper()
	o.URL, o.UnsafeHost, o.Timeout = f.url, true, 3*time.Second
	c, err := gateway.New(o)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

// Submitted asks wait for a partner that an operator has halted. They get answers as soon as it is
// resumed.
func TestPromiseResumeWakesWhoWaits(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	one, other := f.start(), f.start()
	f.halts(gate.Halt{Halted: true, By: gate.ByOperator})
	within(t, "halted for both", func() bool {
		for range 10 { // each with its own account: an answer from before would be remembered
			if r := f.ask(messages.Query{UserEmail: email("signed+halted", time.Now().UnixNano())}); r.Code != messages.PartnerHalted {
				return false
			}
		}
		return true
	})
	before := f.calls()
	const waiting = 20
	for _, q := range many("signed", waiting) {
		q.ID, q.ReplyTo = q.UserEmail[:len("signed+00")], f.names.ReplyOf("till")
		f.submits(f.names.Submit(), q)
	}
	f.parked(waiting, one, other)
	if n := f.calls(); n != before {
		t.Errorf("%d calls while halted", n-before)
	}
	f.halts(gate.Halt{})
	resumed := time.Now()
	within(t, "all answered", func() bool { return f.stream(messages.Replies).Msgs == waiting })
	if took := time.Since(resumed); took > atOnce {
		t.Errorf("all answered %v after the partner was resumed", took)
	}
	f.wantRest()
	f.wantCalls(before + waiting)
}

// A partner whose key is wrong is halted. As soon as a worker has the right key, waiting asks get
// answers.
func TestPromiseRepairedKeyWakesWhoWaits(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	file := filepath.Join(t.TempDir(), "key")
	write := func(key string) {
		if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong0000wrong0000wrong0000wrong")
	var m *member
	client := f.client(gateway.Options{Partners: []gateway.Partner{{ID: partner, KeyFile: file, SignType: mapi.MD5}},
		KeyChanged: func(p string) { m.Repaired(t.Context(), p) }})
	m = f.start(func(o *worker.Options) { o.Gateway, o.Partners = client, []string{partner} })
	for i := range 5 {
		if r := f.ask(messages.Query{UserEmail: email("signed+fault", i)}); r.Code != "ILLEGAL_SIGN" {
			t.Fatalf("told %s", refusal(r))
		}
	}
	if r := f.ask(messages.Query{UserEmail: "signed+halted@example.com"}); r.Code != messages.PartnerHalted {
		t.Fatalf("told %s", refusal(r))
	}
	const waiting = 20
	for _, q := range many("signed", waiting) {
		q.ReplyTo = f.names.ReplyOf("till")
		f.submits(f.names.Submit(), q)
	}
	f.parked(waiting, m)
	write(md5Key)
	repaired := time.Now()
	if err := client.Reload(); err != nil {
		t.Fatal(err)
	}
	within(t, "all answered", func() bool { return f.stream(messages.Replies).Msgs == waiting })
	if took := time.Since(repaired); took > atOnce {
		t.Errorf("all answered %v after the key was repaired", took)
	}
	for _, all := range f.durable() {
		for _, r := range all {
			if r.Outcome != messages.Signed {
				t.Errorf("told %s", refusal(r))
			}
		}
	}
	f.wantRest()
}

// A worker that alone has a wrong key halts the partner for itself: the others, whose calls were
// accepted before, make sure at once that theirs still are, and go on.
func TestPromiseWrongKeyOfOneWorker(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	good := []*member{f.start(), f.start()}
	for i := 0; good[0].Stats().Gateway.Count == 0 || good[1].Stats().Gateway.Count == 0; i++ {
		if r := f.ask(messages.Query{UserEmail: email("signed+before", i)}); r.Outcome != messages.Signed {
			t.Fatalf("told %s", refusal(r))
		}
	}
	key, err := mapi.ParseKey(mapi.MD5, []byte("wrong0000wrong0000wrong0000wrong"))
	if err != nil {
		t.Fatal(err)
	}
	client := f.client(gateway.Options{Partners: []gateway.Partner{{ID: partner, Key: key}}})
	bad := f.start(func(o *worker.Options) { o.Gateway, o.Partners = client, []string{partner} })
	const asks = 300
	told := map[string]int{}
	for i := range asks {
		r := f.ask(messages.Query{UserEmail: email("signed+key", i)})
		told[cmp.Or(r.Code, string(r.Outcome))]++
	}
	signed, halted := told[string(messages.Signed)], told[messages.PartnerHalted]
	if rejected := told["ILLEGAL_SIGN"]; rejected < 10 || rejected > 12 || signed+halted+rejected != asks {
		t.Errorf("told %v, want 10 times ILLEGAL_SIGN, and once more for each minute", told)
	}
	if signed < asks/2 {
		t.Errorf("%d of %d signed: the others were halted, too", signed, asks)
	}
	if h := bad.Stats().Halts[partner]; !h.Halted {
		t.Errorf("the worker with the wrong key: %+v", h)
	}
	for _, m := range good {
		if h := m.Stats().Halts; len(h) > 0 {
			t.Errorf("a worker with the right key: %+v", h)
		}
	}
}
