// The bound of all users together, on a real server.

package watches

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// Of watches that begin at once in two consoles, no more begin than there is room for.
func TestBoundOfAllUsers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	consoles := []*Watches{f.console(false), f.console(false)}
	for _, w := range consoles {
		w.o.Every = time.Hour // what is planned stays planned
		f.run(w)
	}
	far := []byte(`{}`)
	for i := range mostOfAll - 3 {
		// A plan of any user; this test does not use its time.
		if _, err := f.js.PublishAsync(f.names.Watch(messages.WatchPlan, "somebody", strconv.Itoa(i)), far, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-f.js.PublishAsyncComplete()
	var words sync.Map
	var beginning sync.WaitGroup
	for i := range 16 {
		beginning.Go(func() {
			by := fmt.Sprintf("user%d", i)
			word, err := consoles[i%2].Begin(t.Context(), by, "***", messages.Query{V: messages.Version, UserEmail: by + "@example.com"})
			if err != nil {
				t.Errorf("%s: %v", by, err)
			}
			words.Store(by, word)
		})
	}
	beginning.Wait()
	begun := 0
	for by, word := range words.Range {
		own, err := consoles[0].store.list(t.Context(), ownerOf(by.(string)))
		if err != nil {
			t.Fatal(err)
		}
		if word == string(begunNote) {
			begun++
		} else if word != string(fullNote) {
			t.Errorf("%v is told %v", by, word)
		}
		if (len(own) == 1) != (word == string(begunNote)) {
			t.Errorf("%v has %d watches and is told %v", by, len(own), word)
		}
	}
	if begun > 3 {
		t.Errorf("%d begin where there is room for 3", begun)
	}
	eventually(t, "what did not begin is planned no more", func() bool {
		n, err := consoles[0].store.planned(t.Context())
		return err == nil && n == mostOfAll-3+begun
	})
}

// Watches that are due, and that no console has dealt with yet, take room, too.
func TestBoundWithThoseThatAreDue(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	w := f.console(false)
	for i := range mostOfAll {
		if _, err := f.js.PublishAsync(f.names.Watch(messages.WatchDue, "somebody", strconv.Itoa(i)), []byte(`{}`), jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-f.js.PublishAsyncComplete()
	f.begin(w, "li", "a@example.com", "full")
	f.run(w) // they are nobody's
	eventually(t, "there is room", func() bool {
		n, err := w.store.planned(t.Context())
		return err == nil && n == 0
	})
	f.begin(w, "li", "a@example.com", "begun")
}
