// Dead letters: what is shown of them, and which are found.

package dead

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/messages"
	"protocolq/worker/provision"
)

const canaryEmail, canaryAccount = "canary.holder@example.com", "20887777666655554444"

// personal holds the parts of the canaries that must not be seen.
var personal = []string{"canary", "holder", "777766", "666655", "555544"} // too long to stand in a time in nanoseconds by chance

// deadServer is a server with the streams, and with dead letters as workers write them.
type deadServer struct {
	t   *testing.T
	url string
	nc  *nats.Conn
	js  jetstream.JetStream
}

func newDeadServer(t *testing.T) *deadServer {
	t.Helper()
	e, err := localstack.StartNATS(localstack.NATSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	h := connectDeadServer(t, e.URL())
	if _, err := provision.Apply(t.Context(), h.js, provision.Options{Names: deadNames(t)}); err != nil {
		t.Fatal(err)
	}
	return h
}

func connectDeadServer(t *testing.T, url string) *deadServer {
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
	return &deadServer{t: t, url: url, nc: nc, js: js}
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

func (h *deadServer) add(reason string, data []byte, headers ...string) {
	h.t.Helper()
	m := &nats.Msg{Subject: "protocol.dead." + reason, Data: data, Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header[headers[i]] = []string{headers[i+1]}
	}
	if _, err := h.js.PublishMsg(h.t.Context(), m); err != nil {
		h.t.Fatal(err)
	}
}

// dead runs a dead command and returns its exit code and what it printed.
func (h *deadServer) dead(args ...string) (code int, stdout, stderr string) {
	h.t.Helper()
	return clitest.Run(h.t, Command(), append(append([]string{"dead"}, args...), "--nats", h.url)...)
}

// asked returns the messages in the stream of submitted queries.
func (h *deadServer) asked() []*jetstream.RawStreamMsg {
	h.t.Helper()
	return h.messages("PROTOCOL_SUBMITTED")
}

func (h *deadServer) messages(name string) (all []*jetstream.RawStreamMsg) {
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

// No command shows anything personal of any dead letter, in any output format.
func TestDeadShowsNothingPersonal(t *testing.T) {
	h := newDeadServer(t)
	q := messages.Query{ID: "order of " + canaryEmail, Key: canaryEmail, Partner: "2088000000000001", UserEmail: canaryEmail, AccountNo: canaryAccount,
		Meta: map[string]string{"holder": canaryEmail}, ReplyTo: "protocol.reply.me", DeadlineMs: 1_700_000_000_000}
	h.add(messages.DeadExpired, queryBytes(t, q), messages.HeaderSubject, "protocol.request."+q.KeyToken(), messages.HeaderReason, "the deadline passed")
	h.add(messages.DeadUnreadable, []byte(`{"user_email":"`+canaryEmail+`","`+canaryEmail+`":"`+canaryAccount+`"}`), messages.HeaderSubject, "protocol.submit",
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
	h := newDeadServer(t)
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
		h.add(reason, queryBytes(t, q), messages.HeaderSubject, "protocol.submit")
	}
	list := func(args ...string) (got letters) {
		t.Helper()
		code, out, told := h.dead(append([]string{"list", "-o", "json"}, args...)...)
		if code != cli.ExitOK || json.Unmarshal([]byte(out), &got) != nil {
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
	if code, out, told := h.dead("discard", "--reason", "poison", "--limit", "7", "--yes"); code != cli.ExitOK || !strings.Contains(out, "discarded  7 of 7 dead letters") {
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
	h := newDeadServer(t)
	h.add(messages.DeadPoison, queryBytes(t, messages.Query{ID: "a", UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit")
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"list", "--since", "soon", "--partner", "12", "--limit", "-1"}, cli.ExitUsage, "3 faults"},
		{[]string{"list", "--reason", "a.b"}, cli.ExitUsage, "--reason must be one of"},
		{[]string{"list", "-o", "yaml"}, cli.ExitUsage, "must be text, json or jsonl"},
		{[]string{"show", "one"}, cli.ExitUsage, "SEQ must be a number"},
		{[]string{"show", "2"}, cli.ExitOther, "2: no such dead letter"},
		{[]string{"redrive"}, cli.ExitUsage, "say which"},
		{[]string{"discard", "--limit", "1"}, cli.ExitUsage, "say which"},
		{[]string{"discard", "1", "--reason", "poison"}, cli.ExitUsage, "not both"},
		{[]string{"redrive", "1", "2", "--yes"}, cli.ExitOther, "2: no such dead letter"},
		{[]string{"redrive", "1"}, cli.ExitUsage, "Ask again for 1 dead letter?"},
		{[]string{"discard", "--all-matching"}, cli.ExitUsage, "--yes"},
		{[]string{"discard", "--id", "other"}, cli.ExitOK, ""},
		{[]string{"nonsense"}, cli.ExitUsage, "unknown"},
		{[]string{"list", "--prefix", "other"}, cli.ExitOther, "provision"},
	} {
		if code, out, told := h.dead(tt.args...); code != tt.code || !strings.Contains(told, tt.says) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", tt.args, code, tt.code, tt.says, out, told)
		}
	}
	if n := len(h.messages("PROTOCOL_DEAD")); n != 1 {
		t.Errorf("%d letters, want that the one is still there", n)
	}
}
