// Watches with real workers, across a restart of NATS.

package watches

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/messages/protocolqtest"
)

// A question planned before a restart of the server is asked after it, by an ordinary submitted
// query, for the default partner and for another.
func TestWatchOverARestart(t *testing.T) {
	t.Parallel()
	f := protocolqtest.Start(t)
	nc := f.Connect()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	asker, err := ask.New(nc, ask.Options{Asker: messages.ConsoleName})
	if err != nil {
		t.Fatal(err)
	}
	w := New(Options{NATS: nc, JetStream: js, Names: names, Asker: asker, Every: time.Second, May: func(string, string) (bool, error) { return true, nil }})
	for by, q := range map[string]messages.Query{"li": {UserEmail: "signed@example.com"},
		"wang": {UserEmail: "signed@example.com", Partner: protocolqtest.OtherPartner}, "zhang": {UserEmail: "no-sign-customer@example.com"}} {
		if word, err := w.Begin(t.Context(), by, "masked", q); err != nil || word != string(begunNote) {
			t.Fatalf("%q %v", word, err)
		}
	}
	f.StopNATS()
	f.StartNATS()
	here := &fleet{t: t}
	here.run(w)
	for by, so := range map[string]func(record) bool{
		"li":   func(r record) bool { return r.State == signed },
		"wang": func(r record) bool { return r.State == signed },
		"zhang": func(r record) bool {
			return r.State == watching && r.Last != nil && r.Last.Outcome == messages.NotSigned
		},
	} {
		here.is(w, by, by+" has the answer", so)
	}
}
