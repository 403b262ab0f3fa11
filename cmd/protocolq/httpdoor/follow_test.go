// The askers' file changes while the door runs.

package httpdoor

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli/clitest"
)

// askersOf returns the text of a file with these askers.
func askersOf(names ...string) string {
	text := "askers:\n"
	for _, name := range names {
		text += fmt.Sprintf("- name: %s\n  partners: ['%s']\n  tokens: ['%s']\n  waiting: 4\n", name, partner, hashOf(tokens[name]))
	}
	return text
}

func TestAskersFileIsFollowed(t *testing.T) {
	b := openBench(t)
	b.stop()
	path, log := filepath.Join(t.TempDir(), "askers.yaml"), &clitest.Buffer{}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(askersOf("shop", "till"))
	b.cfg.APIAskersFile, b.log = path, log
	b.open(t)
	status := func(asker string) int {
		t.Helper()
		got, _ := b.call(t, asker, "POST", "/v1/queries", `{"id":"`+asker+`-1","user_email":"signed@example.com"}`, "Prefer", "wait=5")
		return got.StatusCode
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: never; %s", what, log)
			}
		}
	}
	want := func(asker string, want int) {
		t.Helper()
		if got := status(asker); got != want {
			t.Errorf("%s: %d, want %d", asker, got, want)
		}
	}
	want("shop", http.StatusOK)
	want("till", http.StatusOK)
	write(askersOf("till"))
	until("the token counts no more", func() bool { return status("shop") == http.StatusUnauthorized })
	want("till", http.StatusOK)
	write("askers: [")
	until("a broken file is said", func() bool { return strings.Contains(log.String(), "askers' file not taken") })
	want("till", http.StatusOK)
	want("shop", http.StatusUnauthorized)
	write(askersOf("shop", "till"))
	until("it may ask again", func() bool { return status("shop") == http.StatusOK })
	// What is stored for the asker is read again, too.
	b.call(t, "shop", "POST", "/v1/queries", `{"id":"shop-2","user_email":"debit-only@example.com"}`, "Prefer", "wait=0")
	until("its stored answer", func() bool {
		got, _ := b.call(t, "shop", "GET", "/v1/queries/shop-2", "")
		return got.StatusCode == http.StatusOK
	})
}

// busy is a JetStream whose readers are busy with a delivery until over is closed.
type busy struct {
	jetstream.JetStream
	over chan struct{}
}

func (b *busy) Consumer(context.Context, string, string) (jetstream.Consumer, error) {
	<-b.over
	return nil, jetstream.ErrConsumerNotFound
}

// A delivery under way to a webhook that is removed holds up no change. The door's end waits
// for it.
func TestChangeWaitsForNoDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		js := &busy{over: make(chan struct{})}
		f := &follower{askers: []Asker{{Name: "shop"}}, log: slog.New(slog.DiscardHandler), readers: func(askers []Asker) (all []*reader) {
			for _, a := range askers {
				all = append(all, &reader{js: js, purpose: a.Name, log: slog.New(slog.DiscardHandler)})
			}
			return all
		}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); f.run(ctx) }()
		synctest.Wait() // shop is read
		for _, name := range []string{"till", "shop"} {
			f.read(ctx, []Asker{{Name: name}}) // if it waited, the test would hang
			synctest.Wait()
			if len(f.running) != 1 || f.running[name] == nil {
				t.Errorf("read: %v", f.running)
			}
		}
		stop()
		synctest.Wait()
		select {
		case <-ended:
			t.Error("it has ended with a delivery under way")
		default:
		}
		close(js.over)
		<-ended
	})
}

// An asker that stays keeps what it has used of its rate. With other bounds it starts afresh.
func TestAdmitKeepsShares(t *testing.T) {
	d, err := newDoor(options{Askers: askers(), Fleet: &played{}, Memory: &remembered{}})
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) *caller { return (*d.callers.Load())[hashOf(tokens[name])] }
	of("shop").queries.AllowN(time.Now(), 100)
	changed := askers()
	changed[1].Rate = 7
	till := of("till").queries
	d.admit(changed)
	if of("shop").queries.AllowN(time.Now(), 50) {
		t.Error("a change of the file gives a new share")
	}
	if of("till").queries == till || of("till").queries.Limit() != 7 {
		t.Error("another rate does not count")
	}
	d.admit(changed[1:])
	if of("shop") != nil || of("till") == nil {
		t.Error("a removed asker's token counts")
	}
}
