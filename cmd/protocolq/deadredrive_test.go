// What a redrive puts back: to which stream subject, with which identity, and what it leaves alone.
package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

func TestRedrive(t *testing.T) {
	const p = "2088000000000001"
	full := messages.Query{V: 1, ID: "mine", Partner: p, UserEmail: "a@example.com"}
	bare := messages.Query{V: 1, UserEmail: "a@example.com"}
	late := full
	late.DeadlineMs = 1_700_000_000_000
	prompt := late
	prompt.DeadlineMs = 0
	withID := func(id string) messages.Query { q := bare; q.ID = id; return q }
	request := "protocol.request." + full.KeyToken()
	tests := []struct {
		name    string
		q       messages.Query
		headers []string
		args    []string
		subject string // "" left alone
		want    messages.Query
		head    map[string]string
	}{
		{"submitted", full, []string{"Protocol-Subject", "protocol.submit." + p + ".booking", "Protocol-Token", "5-1700"}, nil,
			"protocol.submit." + p + ".booking", full, map[string]string{"Nats-Msg-Id": "5-1700/r1", "Protocol-Redriven": "1", "Content-Type": "application/msgpack"}},
		{"submitted under a message id", bare, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700", "Protocol-Id", "theirs"}, nil,
			"protocol.submit", withID("theirs"), map[string]string{"Nats-Msg-Id": "5-1700/r1"}},
		{"submitted without any id", bare, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700"}, nil,
			"protocol.submit", withID("5-1700"), nil},
		{"submitted under an id that is none", bare, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700", "Protocol-Id", strings.Repeat("x", 129)}, nil,
			"protocol.submit", withID("5-1700"), nil},
		{"again", full, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "9-1800", "Protocol-Redriven", "3"}, nil,
			"protocol.submit", full, map[string]string{"Nats-Msg-Id": "9-1800/r4", "Protocol-Redriven": "4"}},
		{"with broken headers", full, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "9-1800", "Protocol-Redriven", "x", "Protocol-Stored", "soon", "Protocol-Door", "back"}, nil,
			"protocol.submit", full, map[string]string{"Nats-Msg-Id": "9-1800/r1", "Protocol-Redriven": "1"}},
		{"waiting", full, []string{"Protocol-Subject", "protocol.wait." + p, "Protocol-Token", "9-1800/w2", "Protocol-Partner", p}, nil,
			"protocol.submit." + p, full, map[string]string{"Nats-Msg-Id": "9-1800/r1"}},
		{"asked and awaited", full, []string{"Protocol-Subject", request, "Protocol-Token", "tok", "Protocol-Door", "query", "Protocol-Reply-To", "_INBOX.x", "Protocol-Id", "mine", "Protocol-Partner", p}, nil,
			request, full, map[string]string{"Nats-Msg-Id": "tok/r1", "Protocol-Door": "query", "Protocol-Reply-To": "_INBOX.x", "Protocol-Id": "mine", "Protocol-Partner": p, "Protocol-Subject": "protocol.query." + p}},
		{"asked and awaited, subject kept", full, []string{"Protocol-Subject", "protocol.query", "Protocol-Token", "tok/r1", "Protocol-Door", "query", "Protocol-Partner", p}, nil,
			request, full, map[string]string{"Nats-Msg-Id": "tok/r2", "Protocol-Subject": "protocol.query", "Protocol-Reply-To": ""}},
		{"asked of the default partner", withID("mine"), []string{"Protocol-Subject", "protocol.query", "Protocol-Token", "tok", "Protocol-Door", "query", "Protocol-Partner", p}, nil,
			request, withID("mine"), map[string]string{"Protocol-Partner": p}},
		{"asked of nobody knows whom", bare, []string{"Protocol-Subject", "protocol.query", "Protocol-Token", "tok"}, nil, "", bare, nil},
		{"refused at the front door", full, []string{"Protocol-Subject", "protocol.query." + p}, nil,
			"protocol.submit." + p, full, nil},
		// What an asker may have put into his own message: it must not open another door or another
		// partner.
		{"forged", bare, []string{"Protocol-Subject", "protocol.submit." + p, "Protocol-Token", "5-1700", "Protocol-Door", "query", "Protocol-Partner", "2088000000000002", "Protocol-Reply-To", "protocol.reply.x"}, nil,
			"protocol.submit." + p, withID("5-1700"), map[string]string{"Protocol-Door": "", "Protocol-Partner": "", "Protocol-Reply-To": ""}},
		{"late", late, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700"}, nil, "", late, nil},
		{"late, dropped", late, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700"}, []string{"--drop-deadline"}, "protocol.submit", prompt, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newDeadHouse(t)
			h.bury(messages.DeadExpired, queryBytes(t, tt.q), tt.headers...)
			code, out, told := h.dead(append([]string{"redrive", "1", "--yes"}, tt.args...)...)
			asked, left := h.requests(), h.messages("PROTOCOL_DEAD")
			if tt.subject == "" {
				if code != exitOther || len(asked) != 0 || len(left) != 1 || !strings.Contains(out, "left      1: it") {
					t.Errorf("exit %d, %d asked, %d left\n%s%s", code, len(asked), len(left), out, told)
				}
				return
			}
			if code != exitOK || len(asked) != 1 || len(left) != 0 {
				t.Fatalf("exit %d, %d asked, %d left\n%s%s", code, len(asked), len(left), out, told)
			}
			q, _, err := messages.DecodeQuery(asked[0].Data, "")
			if err != nil || asked[0].Subject != tt.subject || !cmp.Equal(q, tt.want) {
				t.Errorf("asked on %s, %v\n%s", asked[0].Subject, err, cmp.Diff(tt.want, q))
			}
			for name, want := range tt.head {
				if got := asked[0].Header.Get(name); got != want {
					t.Errorf("header %s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

// An end between storing the query and deleting the letter: the next redrive stores nothing and
// deletes it.
func TestRedriveTwiceAsksOnce(t *testing.T) {
	h := newDeadHouse(t)
	for range 2 {
		h.bury(messages.DeadPoison, queryBytes(t, messages.Query{ID: "mine", UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit", messages.HeaderToken, "5-1700")
	}
	h.bury(messages.DeadUnreadable, []byte("noise"), messages.HeaderSubject, "protocol.submit", messages.HeaderToken, "6-1700")
	code, out, told := h.dead("redrive", "--all-matching", "--yes", "-o", "json")
	var r redriving
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOther || r.Matched != 3 || r.Redriven != 2 || len(r.Skipped) != 1 || r.Skipped[0].Seq != 3 {
		t.Errorf("exit %d, %s%s", code, out, told)
	}
	if asked, left := len(h.requests()), len(h.messages("PROTOCOL_DEAD")); asked != 1 || left != 1 {
		t.Errorf("%d asked, %d left", asked, left)
	}
}

// The stream of requests has no room: the letter stays.
func TestRedriveIntoAFullStream(t *testing.T) {
	h := newDeadHouse(t)
	stream, err := h.js.Stream(t.Context(), "PROTOCOL_REQUESTS")
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.MaxMsgs = 1
	if _, err := h.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"5-1", "6-1", "7-1"} {
		h.bury(messages.DeadPoison, queryBytes(t, messages.Query{ID: "mine", UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit", messages.HeaderToken, token)
	}
	code, out, told := h.dead("redrive", "--all-matching", "--yes")
	if code != exitOther || !strings.Contains(out, "redriven  1 of 3") || !strings.Contains(told, "maximum messages exceeded") {
		t.Errorf("exit %d, %s%s", code, out, told)
	}
	if left := len(h.messages("PROTOCOL_DEAD")); left != 2 {
		t.Errorf("%d letters left, want 2", left)
	}
}
