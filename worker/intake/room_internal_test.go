// Which askers a look at the stream of durable replies is about.

package intake

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/natstest"
)

func TestSuspects(t *testing.T) {
	asked := map[string]int64{"": 1 << 30, "greedy": 0, "busy": 2000, "calm": 1}
	if got, want := suspects(asked, map[string]bool{"greedy": true}), []string{"greedy", "busy", "calm"}; !cmp.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i := range mostHolders {
		asked[strconv.Itoa(i)] = 2
	}
	got := suspects(asked, map[string]bool{"greedy": true, "gone": true})
	if len(got) != mostLooks || !cmp.Equal(got[2:3], []string{"busy"}) {
		t.Errorf("%d: %q", len(got), got)
	}
}

// A stream of replies that keeps what is read is said once, however often it is looked at, with
// what to do.
func TestRepliesThatStay(t *testing.T) {
	nc, js := natstest.JetStream(t)
	n := names{must(messages.NewNames("protocol"))}
	var out bytes.Buffer
	r := newRoom(js, &n, slog.New(slog.NewTextHandler(&out, nil)), &alarms{})
	lines := func(want int) {
		t.Helper()
		for range 3 {
			r.lookAtReplies(t.Context())
		}
		if got := strings.Count(out.String(), "level=ERROR"); got != want {
			t.Errorf("%d errors, want %d:\n%s", got, want, &out)
		}
	}
	lines(0) // it is not there
	c := jetstream.StreamConfig{Name: n.Stream(messages.Replies), Subjects: n.Captures(messages.Replies), Retention: jetstream.WorkQueuePolicy}
	must(js.CreateStream(t.Context(), c))
	lines(0)
	if err := js.DeleteStream(t.Context(), c.Name); err != nil {
		t.Fatal(err)
	}
	c.Retention = jetstream.LimitsPolicy
	must(js.CreateStream(t.Context(), c))
	lines(1)
	if !strings.Contains(out.String(), "protocolq provision") || !nc.IsConnected() {
		t.Errorf("it does not say what to do: %s", &out)
	}
}

// A worker at rest does not look: only after an ask with a durable reply or a refusal, while
// somebody is held up, and while a stream cannot be looked at.
func TestLookIsDue(t *testing.T) {
	_, js := natstest.JetStream(t)
	n := names{must(messages.NewNames("protocol"))}
	r := newRoom(js, &n, slog.New(slog.DiscardHandler), &alarms{})
	looked := func(want bool, after string) {
		t.Helper()
		r.look(t.Context())
		if r.isDue() != want {
			t.Errorf("%s, due after a look: %v, want %v", after, !want, want)
		}
	}
	if !r.isDue() {
		t.Error("the first look is not due")
	}
	looked(true, "without the streams")
	for _, kind := range []messages.Kind{messages.Dead, messages.Replies} {
		must(js.CreateStream(t.Context(), jetstream.StreamConfig{Name: n.Stream(kind), Subjects: n.Captures(kind),
			Retention: jetstream.WorkQueuePolicy, MaxBytes: 64 << 10}))
	}
	looked(false, "with empty streams")
	if r.enter("_INBOX.x"); r.isDue() {
		t.Error("due after an ask with an inbox")
	}
	if r.enter("protocol.reply.shop"); !r.isDue() {
		t.Error("not due after an ask with a durable reply")
	}
	looked(false, "that nothing changed")
	if r.admits(&deadLetter{}); !r.isDue() {
		t.Error("not due after a refusal")
	}
	looked(false, "that nothing changed")
	for range 40 {
		must(js.Publish(t.Context(), "protocol.reply.shop", make([]byte, 1<<10)))
	}
	r.enter("protocol.reply.shop")
	looked(true, "with an asker held up")
	looked(true, "with an asker still held up")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
