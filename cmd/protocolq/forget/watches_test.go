// A person is taken out of what is watched on the page in the browser.

package forget

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/cmd/protocolq/console/watches"
	"protocolq/messages"
	"protocolq/worker/natstest"
	"protocolq/worker/provision"
)

func TestWatches(t *testing.T) {
	nc, js := natstest.JetStream(t)
	f := newForgetting(t, "Canary.Holder@example.com", "20887777666655554444")
	if p, err := f.watches(t.Context(), js); err != nil || p.Found != 0 {
		t.Errorf("without a stream: %+v, %v", p, err)
	}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: f.names}); err != nil {
		t.Fatal(err)
	}
	w := watches.New(watches.Options{NATS: nc, JetStream: js, Names: f.names, Every: time.Hour})
	for by, q := range map[string]messages.Query{"li": {UserEmail: "canary.holder@EXAMPLE.com"}, "wang": {AccountNo: "20887777666655554444"},
		"zhang": {UserEmail: "another@example.com"}} {
		if word, err := w.Begin(t.Context(), by, "masked", q); err != nil || word != "begun" {
			t.Fatalf("%q %v", word, err)
		}
	}
	kept := f.names.Watch(messages.WatchKept, "o", "w")
	if _, err := js.Publish(t.Context(), kept, []byte("garbage about canary.holder@example.com")); err != nil {
		t.Fatal(err)
	}
	f.dry = true
	if p, err := f.watches(t.Context(), js); err != nil || p.Found != 3 || p.Deleted != 0 {
		t.Errorf("dry run: %+v, %v", p, err)
	}
	f.dry = false
	if p, err := f.watches(t.Context(), js); err != nil || p.Found != 3 || p.Deleted != 3 {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := f.watches(t.Context(), js); err != nil || p.Found != 0 {
		t.Errorf("again: %+v, %v", p, err)
	}
	left := map[string]string{}
	for _, by := range []string{"li", "wang", "zhang"} {
		word, err := w.Begin(t.Context(), by, "masked", messages.Query{UserEmail: "another@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		left[by] = word
	}
	if diff := cmp.Diff(map[string]string{"li": "begun", "wang": "begun", "zhang": "already"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
