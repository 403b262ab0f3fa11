// The headers of everything that a worker writes, as they are on the wire: a golden file, so that
// no change of them goes unnoticed.

package worker_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

var update = flag.Bool("update", false, "write testdata/wire.txt anew")

const goldenWire = "testdata/wire.txt"

// What differs from run to run, and the word that replaces it.
var varying = []struct {
	is   *regexp.Regexp
	word string
}{
	{regexp.MustCompile(`_INBOX\S+`), "INBOX"},
	{regexp.MustCompile(`\d+-\d{19}`), "SEQUENCE-NANOSECONDS"},
	{regexp.MustCompile(`\bm[0-9a-f]{32}\b`), "HASH"},
	{regexp.MustCompile(`\b[0-9A-Za-z]{22}\b`), "NUID"},
	{regexp.MustCompile(`\b\d{13}\b`), "MILLISECONDS"},
	{regexp.MustCompile(`Protocol-Tries: \d+`), "Protocol-Tries: N"},
}

// wire collects the messages of a fleet, each once: a subject, and headers in order.
type wire struct {
	mu   sync.Mutex // guards seen
	seen map[string]bool
}

func (s *wire) take(m *nats.Msg) {
	lines := m.Subject + "\n"
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, v := range m.Header[name] {
			lines += fmt.Sprintf("%s: %s\n", name, v)
		}
	}
	for _, v := range varying {
		lines = v.is.ReplaceAllString(lines, v.word)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[lines] = true
}

func (s *wire) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(s.seen)), "\n")
}

func TestWire(t *testing.T) {
	t.Parallel()
	f := newFleet(t, simulator.Options{})
	seen := &wire{seen: map[string]bool{}}
	for _, kind := range []string{"dead", "reply", "event"} {
		if _, err := f.nc.Subscribe("protocol."+kind+".>", seen.take); err != nil {
			t.Fatal(err)
		}
	}
	f.start(cooldown(500 * time.Millisecond))
	trace := "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	for _, m := range []*nats.Msg{
		{Subject: f.names.Query(), Data: []byte(`{"v":1,"id":"mine","partner":"` + partner + `","user_email":"signed+1@example.com"}`)},
		{
			Subject: f.names.Query(), Data: packed(t, messages.Query{UserEmail: "signed+2@example.com"}),
			Header: nats.Header{"Nats-Msg-Id": {"theirs"}},
		},
		{
			Subject: f.names.QueryOf(partner), Data: packed(t, messages.Query{ID: "traced", UserEmail: "signed+3@example.com"}),
			Header: nats.Header{"traceparent": {trace}, "Content-Type": {"application/msgpack"}, "Protocol-Redriven": {"x"}},
		},
		{
			Subject: f.names.Query(),
			Data:    packed(t, messages.Query{ID: "durable", UserEmail: "signed+4@example.com", ReplyTo: "protocol.reply.four"}),
		},
		{Subject: f.names.Query(), Data: packed(t, messages.Query{ID: "fails", UserEmail: "system-error+5@example.com"})},
		{Subject: f.names.Query(), Data: []byte(`{"v":1,"id":"wrong"}`)},
	} {
		reply, err := f.nc.RequestMsg(m, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		reply.Subject = fmt.Sprintf("reply to %.40q", m.Data)
		seen.take(reply)
	}
	// Waits once, then gets its answer.
	patient := messages.Query{ID: "patient", UserEmail: "system-error-7@example.com", ReplyTo: "protocol.reply.booking.six"}
	late := messages.Query{ID: "late", UserEmail: "signed+8@example.com", ReplyTo: "protocol.reply.booking.eight"}
	late.DeadlineMs = time.Now().Add(-time.Second).UnixMilli()
	astray := messages.Query{UserEmail: "signed+7@example.com", ReplyTo: "protocol.journal.x"}
	for _, m := range []*nats.Msg{
		{
			Subject: f.names.SubmitOf(partner, "booking"), Data: packed(t, patient),
			Header: nats.Header{"Nats-Msg-Id": {"theirs"}, "traceparent": {trace}, "Protocol-Redriven": {"3"}},
		},
		{
			Subject: f.names.SubmitOf(partner, "booking"), Data: packed(t, late),
			Header: nats.Header{"traceparent": {trace}, "Protocol-Redriven": {"3"}},
		},
		{Subject: f.names.Submit(), Data: []byte("garbage"), Header: nats.Header{"traceparent": {"no"}}},
		{Subject: f.names.Submit(), Data: packed(t, astray), Header: nats.Header{"Nats-Msg-Id": {"theirs-7"}}},
	} {
		if _, err := f.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	within(t, "three dead letters", func() bool { return f.stream(messages.Dead).Msgs == 3 })
	within(t, "three durable replies", func() bool { return f.stream(messages.Replies).Msgs == 3 })
	f.wantRest()
	if err := f.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(goldenWire, []byte(seen.text()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenWire)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), seen.text()); diff != "" {
		t.Errorf("on the wire (-golden +now):\n%s", diff)
	}
}

func packed(t testing.TB, q messages.Query) []byte {
	t.Helper()
	body, err := q.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
