// A webhook is told that a watch has ended: a real receiver, and a real server that keeps the debt.

package watches

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// receiver is a webhook that accepts messages once it is well.
type receiver struct {
	url string

	mu   sync.Mutex // guards the rest
	well bool
	ids  []string // of all requests
	news []string // the bodies of accepted requests
}

func newReceiver(t *testing.T, secret string) *receiver {
	t.Helper()
	r := &receiver{}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		id := q.Header.Get("Webhook-Id")
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + q.Header.Get("Webhook-Timestamp") + "." + string(body)))
		if got, want := q.Header.Get("Webhook-Signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("signed %q, want %q", got, want)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.ids = append(r.ids, id); !r.well {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.news = append(r.news, string(body))
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/hook?token=of-the-receiver"
	return r
}

func (r *receiver) told() (ids, news []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids, r.news
}

// hooked has a console tell a receiver; results are the results of its requests.
func hooked(w *Watches, r *receiver, secret string) (results *[]string) {
	results = &[]string{}
	var mu sync.Mutex // guards results
	w.o.Page = "https://protocolq.example.com/watches"
	w.o.Webhook = func() (webhook.Target, error) { return webhook.ParseTarget([]byte(r.url + "\n" + secret)) }
	w.o.Told = func(s string) { mu.Lock(); defer mu.Unlock(); *results = append(*results, s) }
	return results
}

// A message that the webhook does not accept outlives the console: the next console sends it, with
// the same id, and without an e-mail.
func TestToldAfterARestart(t *testing.T) {
	t.Parallel()
	f, secret := newFleet(t), webhook.NewSecret()
	hook := newReceiver(t, secret)
	f.work()
	yes := true
	f.says(messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, UserID: "2088611907349595"})
	w := f.console(false)
	hooked(w, hook, secret)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	f.begin(w, "li", "canary@example.com", "begun")
	eventually(t, "it is told in vain", func() bool { ids, _ := hook.told(); return len(ids) > 0 })
	stop()
	running.Wait()

	hook.mu.Lock()
	hook.well = true
	hook.mu.Unlock()
	next := f.console(false)
	hooked(next, hook, secret)
	f.run(next)
	r := f.is(next, "li", "it is told", func(r record) bool { return r.State == signed && !r.Owed })
	ids, news := hook.told()
	for _, id := range ids {
		if id != ids[0] || !strings.HasPrefix(id, "msg_watch_") {
			t.Errorf("told under %q", ids)
		}
	}
	var body struct {
		Type, Timestamp string
		Data            News
	}
	if len(news) != 1 {
		t.Fatalf("told %q", news)
	}
	if err := json.Unmarshal([]byte(news[0]), &body); err != nil {
		t.Fatal(err)
	}
	want := News{Watch: strings.TrimPrefix(ids[0], "msg_watch_"), State: "signed", User: "li", Account: messages.MaskEmail("canary@example.com"), Outcome: messages.Signed,
		ChargeAgent: &yes, BegunMs: r.BegunMs, EndedMs: r.EndedMs, Page: "https://protocolq.example.com/watches"}
	if diff := cmp.Diff(want, body.Data); diff != "" || body.Type != "watch.ended" || body.Timestamp != time.UnixMilli(r.EndedMs).UTC().Format(time.RFC3339Nano) ||
		strings.Contains(news[0], "canary") {
		t.Errorf("%s\n-want +got\n%s", news[0], diff)
	}
}

// ended is a watch that has ended in this state, and that the webhook must be told of.
func (f *fleet) ended(w *Watches, s state, ago time.Duration) name {
	f.t.Helper()
	one := found{name: name{ownerOf("li"), "w" + string(s)}, record: record{By: "li", Shown: "c***@e***.com", BegunMs: time.Now().Add(-ago).UnixMilli()}}
	one.end(s, time.Now().Add(-ago))
	w.owe(&one.record)
	if err := w.store.put(f.t.Context(), &one); err != nil {
		f.t.Fatal(err)
	}
	return one.name
}

// owed reports whether the webhook must still be told.
func (f *fleet) owed(w *Watches, n name) bool {
	f.t.Helper()
	one, ok, err := w.store.get(f.t.Context(), n)
	if err != nil || !ok {
		f.t.Fatalf("%v %v", ok, err)
	}
	return one.Owed
}

// A webhook that accepts nothing is told at growing intervals, and no more after a day. A console
// without a webhook leaves the telling to others.
func TestTellingIsBounded(t *testing.T) {
	t.Parallel()
	f, secret := newFleet(t), webhook.NewSecret()
	hook := newReceiver(t, secret)
	w := f.console(false)
	results := hooked(w, hook, secret)
	n := f.ended(w, over, time.Hour)
	for _, tries := range []uint64{0, 8} {
		before := time.Now()
		if err := w.tell(t.Context(), n, tries); err != nil {
			t.Fatal(err)
		}
		d := f.planned(n)
		if wait := time.UnixMilli(d.AtMs).Sub(before); d.Tries != tries+1 || wait < 5*time.Second<<tries-time.Second || !f.owed(w, n) {
			t.Errorf("after %d: in %s, %+v", tries, wait, d)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := w.tell(ended, n, 2); err == nil || f.planned(n).Tries != 9 || !f.owed(w, n) {
		t.Errorf("as the console ends: %v, %+v", err, f.planned(n))
	}
	bare := f.console(false)
	if err := bare.tell(t.Context(), n, 0); err != nil || f.planned(n).Tries != 1 || !f.owed(w, n) {
		t.Errorf("by a console without a webhook: %v, %+v", err, f.planned(n))
	}
	late := f.ended(w, refused, 24*time.Hour)
	if err := w.tell(t.Context(), late, 30); err != nil || f.owed(w, late) || f.planned(late) != (due{}) {
		t.Errorf("after a day: %v, owed %v, %+v", err, f.owed(w, late), f.planned(late))
	}
	if diff := cmp.Diff([]string{"failed", "failed", "undelivered"}, *results); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if ids, _ := hook.told(); len(ids) != 3 {
		t.Errorf("told %d times", len(ids))
	}
}

// The webhook is not told of a cancellation, nor of a person who is to be forgotten. If there is no
// webhook, nothing is owed.
func TestWhatIsNoNews(t *testing.T) {
	t.Parallel()
	f, secret := newFleet(t), webhook.NewSecret()
	w, bare := f.console(false), f.console(false)
	hooked(w, newReceiver(t, secret), secret)
	for s, want := range map[state]bool{watching: false, cancelled: false, forgotten: false, signed: true, over: true, refused: true, lost: true} {
		r := record{State: s}
		if w.owe(&r); r.Owed != want {
			t.Errorf("%q is owed: %v", s, r.Owed)
		}
		if bare.owe(&r); r.Owed {
			t.Errorf("%q is owed to nobody", s)
		}
	}
}

// If a console dies before it plans a telling, the telling is planned when the reply comes again,
// or when the next question would have been due.
func TestDiedBeforeItTold(t *testing.T) {
	t.Parallel()
	f, secret := newFleet(t), webhook.NewSecret()
	hook := newReceiver(t, secret)
	w := f.console(false)
	hooked(w, hook, secret)
	n := f.ended(w, signed, 0)
	if err := w.due(t.Context(), n, time.Now().UnixMilli()); !errors.Is(err, errOwed) {
		t.Errorf("when it is due: %v", err)
	}
	if err := w.hear(t.Context(), ask.Reply{Result: messages.Result{ID: n.question(time.Now().UnixMilli()), Outcome: messages.Signed}}); err != nil {
		t.Fatal(err)
	}
	hook.mu.Lock()
	hook.well = true
	hook.mu.Unlock()
	f.run(w)
	eventually(t, "it is told", func() bool { return !f.owed(w, n) })
	if _, news := hook.told(); len(news) != 1 {
		t.Errorf("told %q", news)
	}
}
