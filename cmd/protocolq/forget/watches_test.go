// A person's watches on the page in the browser are deleted.

package forget

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

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

// rewriting rewrites a watch just before it would be deleted.
type rewriting struct {
	jetstream.JetStream
	subject string
	times   int
}

func (r *rewriting) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	s, err := r.JetStream.Stream(ctx, name)
	return rewritten{s, r}, err
}

type rewritten struct {
	jetstream.Stream
	by *rewriting
}

func (s rewritten) SecureDeleteMsg(ctx context.Context, seq uint64) error {
	m, err := s.GetMsg(ctx, seq)
	if err != nil {
		return err
	}
	if m.Subject == s.by.subject && s.by.times > 0 {
		s.by.times--
		if _, err := s.by.Publish(ctx, m.Subject, m.Data); err != nil {
			return err
		}
	}
	return s.Stream.SecureDeleteMsg(ctx, seq)
}

// A watch that is rewritten after it was found is found again. Only what was deleted is
// counted.
func TestWatchesThatAreRewritten(t *testing.T) {
	for _, c := range []struct {
		times   int
		deleted int64
		ends    string
	}{
		{times: 1, deleted: 2},
		{times: 1000, deleted: 1, ends: "keep changing: run forget again"},
	} {
		_, js := natstest.JetStream(t)
		f := newForgetting(t, "canary@example.com", "")
		if _, err := provision.Apply(t.Context(), js, provision.Options{Names: f.names}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"one", "other"} {
			if _, err := js.Publish(t.Context(), f.names.Watch(messages.WatchKept, "o", id), []byte(`{"query":{"user_email":"canary@example.com"}}`)); err != nil {
				t.Fatal(err)
			}
		}
		p, err := f.watches(t.Context(), &rewriting{js, f.names.Watch(messages.WatchKept, "o", "one"), c.times})
		if c.ends == "" && err != nil || c.ends != "" && (err == nil || !strings.Contains(err.Error(), c.ends)) {
			t.Errorf("rewritten %d times: %v", c.times, err)
		}
		if p.Found != 2 || p.Deleted != c.deleted {
			t.Errorf("rewritten %d times: %+v, want 2 found and %d deleted", c.times, p, c.deleted)
		}
		if left := sequences(t, js, f.names.Stream(messages.Watches)); len(left) != 2-int(c.deleted) {
			t.Errorf("rewritten %d times: left %v", c.times, left)
		}
	}
}
