// Dead letters: what is shown of them, which are found, and what their redrive asks.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"protocolq/messages"
	"protocolq/worker/provision"
)

// scriptLetters is `letters N`: waits until N dead letters are there.
func scriptLetters(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	stream := scriptOpenStream(ts, "PROTOCOL_DEAD")
	have := uint64(0)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		info, err := stream.Info(context.Background())
		ts.Check(err)
		if have = info.State.Msgs; have == want {
			return
		}
	}
	ts.Fatalf("%d dead letters, want %d", have, want)
}

// scriptReply is `reply SUBJECT ID OUTCOME`: waits for that durable reply and prints it as JSON.
func scriptReply(ts *testscript.TestScript, _ bool, args []string) {
	stream := scriptOpenStream(ts, "PROTOCOL_REPLIES")
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		m, err := stream.GetLastMsgForSubject(context.Background(), args[0])
		if err != nil {
			continue
		}
		r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
		ts.Check(err)
		if r.ID == args[1] && string(r.Outcome) == args[2] {
			ts.Check(printJSON(ts.Stdout(), r))
			return
		}
	}
	ts.Fatalf("no reply %s to %s on %s", args[2], args[1], args[0])
}

func scriptOpenStream(ts *testscript.TestScript, name string) jetstream.Stream {
	js, err := jetstream.New(scriptConnect(ts))
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, name)
	ts.Check(err)
	return stream
}

const canaryEmail, canaryAccount = "canary.holder@example.com", "20887777666655554444"

// personal is everything of the canaries that must not be seen.
var personal = []string{"canary", "holder", "777766", "666655", "555544"} // longer than what a time in nanoseconds holds by chance

// deadHouse is a server with the streams, and letters as workers write them.
type deadHouse struct {
	t   *testing.T
	url string
	nc  *nats.Conn
	js  jetstream.JetStream
}

func newDeadHouse(t *testing.T) *deadHouse {
	t.Helper()
	e, err := startEmbedded(embedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	h := connectDeadHouse(t, e.URL())
	if _, err := provision.Apply(t.Context(), h.js, provision.Options{Names: deadNames(t)}); err != nil {
		t.Fatal(err)
	}
	return h
}

func connectDeadHouse(t *testing.T, url string) *deadHouse {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &deadHouse{t: t, url: url, nc: nc, js: js}
}

func deadNames(t *testing.T) messages.Names {
	t.Helper()
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func queryBytes(t *testing.T, q messages.Query) []byte {
	t.Helper()
	data, err := q.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (h *deadHouse) bury(reason string, data []byte, headers ...string) {
	h.t.Helper()
	m := &nats.Msg{Subject: "protocol.dead." + reason, Data: data, Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header[headers[i]] = []string{headers[i+1]}
	}
	if _, err := h.js.PublishMsg(h.t.Context(), m); err != nil {
		h.t.Fatal(err)
	}
}

// dead runs a dead command and gives its exit code and what it printed.
func (h *deadHouse) dead(args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	reached := false
	root := newRoot(&reached)
	var out, told bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&told)
	root.SetIn(strings.NewReader(""))
	root.SetArgs(append([]string{"dead"}, append(args, "--nats", h.url)...))
	err := root.ExecuteContext(h.t.Context())
	code = report(&told, err, reached, "")
	return code, out.String(), told.String()
}

// requests gives the messages in the stream of requests.
func (h *deadHouse) requests() []*jetstream.RawStreamMsg {
	h.t.Helper()
	return h.messages("PROTOCOL_REQUESTS")
}

func (h *deadHouse) messages(name string) (all []*jetstream.RawStreamMsg) {
	h.t.Helper()
	stream, err := h.js.Stream(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	state := stream.CachedInfo().State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		if m, err := stream.GetMsg(h.t.Context(), seq); err == nil {
			all = append(all, m)
		}
	}
	return all
}

// Nothing personal is shown, by no command, in no form, of no letter.
func TestDeadShowsNothingPersonal(t *testing.T) {
	h := newDeadHouse(t)
	q := messages.Query{ID: "order of " + canaryEmail, Key: canaryEmail, Partner: "2088000000000001", UserEmail: canaryEmail, AccountNo: canaryAccount,
		Meta: map[string]string{"holder": canaryEmail}, ReplyTo: "protocol.reply.me", DeadlineMs: 1_700_000_000_000}
	h.bury(messages.DeadExpired, queryBytes(t, q), messages.HeaderSubject, "protocol.request."+q.KeyToken(), messages.HeaderReason, "the deadline passed")
	h.bury(messages.DeadUnreadable, []byte(`{"user_email":"`+canaryEmail+`","`+canaryEmail+`":"`+canaryAccount+`"}`), messages.HeaderSubject, "protocol.submit",
		messages.HeaderReason, `BAD_REQUEST: `+canaryEmail+`: is not a field of a query, nor is "`+canaryAccount+`"`, messages.HeaderID, canaryEmail)
	for _, args := range [][]string{
		{"list"}, {"list", "-o", "json"}, {"list", "-o", "jsonl"}, {"show", "1"}, {"show", "1", "-o", "json"}, {"show", "2"}, {"show", "2", "-o", "json"},
		{"list", "--id", canaryEmail}, {"redrive", "--all-matching", "--yes"}, {"discard", "--all-matching"},
	} {
		_, out, told := h.dead(args...)
		if len(out)+len(told) < 20 {
			t.Errorf("%v says nothing: %q %q", args, out, told)
		}
		for _, word := range append(personal, q.KeyToken()) {
			if strings.Contains(out+told, word) {
				t.Errorf("%v shows %q:\n%s%s", args, word, out, told)
			}
		}
	}
	if _, out, _ := h.dead("show", "1"); !strings.Contains(out, "c***@e***.com") || !strings.Contains(out, "2088****4444") {
		t.Errorf("masked fields are not shown:\n%s", out)
	}
	if _, out, _ := h.dead("show", "2"); !strings.Contains(out, "no query; sha256 begins ") {
		t.Errorf("an unreadable letter:\n%s", out)
	}
}

func TestDeadListSelects(t *testing.T) {
	h := newDeadHouse(t)
	const many = 250 // more than two pages
	for i := range many {
		reason := messages.DeadExpired
		if i%5 == 0 {
			reason = messages.DeadPoison
		}
		q := messages.Query{ID: fmt.Sprint("order-", i), UserEmail: "a@example.com", Partner: "2088000000000001"}
		if i%2 == 0 {
			q.Partner = "2088000000000002"
		}
		h.bury(reason, queryBytes(t, q), messages.HeaderSubject, "protocol.submit")
	}
	list := func(args ...string) (got letters) {
		t.Helper()
		code, out, told := h.dead(append([]string{"list", "-o", "json"}, args...)...)
		if code != exitOK || json.Unmarshal([]byte(out), &got) != nil {
			t.Fatalf("%v: exit %d, %s%s", args, code, out, told)
		}
		return got
	}
	for _, tt := range []struct {
		args  []string
		count int
		first uint64
		next  uint64
	}{
		{nil, 100, 1, 100},
		{[]string{"--limit", "0"}, many, 1, 0},
		{[]string{"--limit", "250"}, many, 1, 0},
		{[]string{"--after", "100"}, 100, 101, 200},
		{[]string{"--after", "200"}, 50, 201, 0},
		{[]string{"--after", "250"}, 0, 0, 0},
		{[]string{"--limit", "0", "--reason", "poison"}, 50, 1, 0},
		{[]string{"--limit", "0", "--reason", "poison,expired,poison"}, many, 1, 0},
		{[]string{"--limit", "0", "--reason", "poison", "--partner", "2088000000000002"}, 25, 1, 0},
		{[]string{"--id", "order-7"}, 1, 8, 0},
		{[]string{"--limit", "0", "--since", "1h"}, many, 1, 0},
		{[]string{"--limit", "0", "--since", "1h", "--after", "240"}, 10, 241, 0},
		{[]string{"--until", "1h"}, 0, 0, 0},
		{[]string{"--since", time.Now().Add(time.Hour).Format(time.RFC3339)}, 0, 0, 0},
	} {
		got := list(tt.args...)
		first := uint64(0)
		if len(got.Letters) > 0 {
			first = got.Letters[0].Seq
		}
		if len(got.Letters) != tt.count || first != tt.first || got.Next != tt.next {
			t.Errorf("%v: %d letters from %d, next %d; want %d from %d, next %d", tt.args, len(got.Letters), first, got.Next, tt.count, tt.first, tt.next)
		}
	}
	_, out, told := h.dead("list", "-o", "jsonl", "--limit", "3")
	if strings.Count(out, "\n") != 3 || !strings.Contains(told, "--after 3") {
		t.Errorf("lines:\n%s%s", out, told)
	}
	if code, out, told := h.dead("discard", "--reason", "poison", "--limit", "7", "--yes"); code != exitOK || !strings.Contains(out, "discarded  7 of 7 dead letters") {
		t.Errorf("discard: exit %d, %s%s", code, out, told)
	}
	if got := list("--limit", "0", "--reason", "poison"); len(got.Letters) != 43 || got.Letters[0].Seq != 36 {
		t.Errorf("%d left, from %d", len(got.Letters), got.Letters[0].Seq)
	}
	consumers, err := h.js.Stream(t.Context(), "PROTOCOL_DEAD")
	if err != nil || consumers.CachedInfo().State.Consumers != 0 {
		t.Errorf("%d consumers left behind, %v", consumers.CachedInfo().State.Consumers, err)
	}
}

func TestDeadWrongUse(t *testing.T) {
	h := newDeadHouse(t)
	h.bury(messages.DeadPoison, queryBytes(t, messages.Query{ID: "a", UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"list", "--since", "soon", "--partner", "12", "--limit", "-1"}, exitUsage, "3 faults"},
		{[]string{"list", "--reason", "a.b"}, exitUsage, "--reason must be one of"},
		{[]string{"list", "-o", "yaml"}, exitUsage, "must be text, json or jsonl"},
		{[]string{"show", "one"}, exitUsage, "SEQ must be a number"},
		{[]string{"show", "2"}, exitOther, "2: no such dead letter"},
		{[]string{"redrive"}, exitUsage, "say which"},
		{[]string{"discard", "--limit", "1"}, exitUsage, "say which"},
		{[]string{"discard", "1", "--reason", "poison"}, exitUsage, "not both"},
		{[]string{"redrive", "1", "2", "--yes"}, exitOther, "2: no such dead letter"},
		{[]string{"redrive", "1"}, exitUsage, "Ask again for 1 dead letter?"},
		{[]string{"discard", "--all-matching"}, exitUsage, "--yes"},
		{[]string{"discard", "--id", "other"}, exitOK, ""},
		{[]string{"nonsense"}, exitUsage, "unknown"},
		{[]string{"list", "--prefix", "other"}, exitOther, "provision"},
	} {
		if code, out, told := h.dead(tt.args...); code != tt.code || !strings.Contains(told, tt.says) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", tt.args, code, tt.code, tt.says, out, told)
		}
	}
	if n := len(h.messages("PROTOCOL_DEAD")); n != 1 {
		t.Errorf("%d letters, want that the one is still there", n)
	}
}

func TestParseWhen(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"": {}, "90m": now.Add(-90 * time.Minute), "7d": now.AddDate(0, 0, -7), "0s": now,
		"2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local), "2026-03-01T10:00:00Z": time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
	} {
		if got, err := parseWhen(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-1h", "d", "-2d", "yesterday", "10:00", "99999d"} {
		if got, err := parseWhen(text, now); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

func TestAskYes(t *testing.T) {
	for answer, yes := range map[string]bool{"y\n": true, "YES\n": true, "n\n": false, "\n": false, "": false, "yep\n": false} {
		var out bytes.Buffer
		if err := askYes(t.Context(), strings.NewReader(answer), &out, "Delete it?"); (err == nil) != yes || out.String() != "Delete it? [y/N] " {
			t.Errorf("%q: %v after %q", answer, err, out.String())
		}
	}
	silent, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	defer other.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := askYes(ctx, silent, &bytes.Buffer{}, "Delete it?"); err == nil {
		t.Error("a signal is taken for a yes")
	}
}
