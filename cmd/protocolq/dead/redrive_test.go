// What a redrive publishes to the workers, and what it leaves alone. It publishes on the
// operators' subject, with what the dead letter holds about its query.

package dead

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

const redrivenPartner = "2088000000000001"

// letterOf reads a dead letter about q with these headers.
func letterOf(t *testing.T, q messages.Query, headers ...string) *deadLetter {
	t.Helper()
	h := nats.Header{}
	for i := 0; i < len(headers); i += 2 {
		h[headers[i]] = []string{headers[i+1]}
	}
	l := readLetter(deadNames(t), storedLetter{Seq: 7, At: time.Unix(0, 42), Subject: "protocol.dead.expired", Header: h, Data: queryBytes(t, q)})
	return &l
}

func TestRedrive(t *testing.T) {
	const p = redrivenPartner
	full := messages.Query{V: 1, ID: "mine", Partner: p, UserEmail: "a@example.com"}
	bare := messages.Query{V: 1, UserEmail: "a@example.com"}
	late := full
	late.DeadlineMs = 1_700_000_000_000
	tests := []struct {
		name    string
		q       messages.Query
		headers []string
		to      string // the partner whose subject it is published to; "": it is left alone
		want    messages.Envelope
	}{
		{"submitted", full, []string{"Protocol-Subject", "protocol.submit." + p + ".booking", "Protocol-Token", "5-1700", "Protocol-Door", "submit"},
			p, messages.Envelope{MsgID: "5-1700/r1", Subject: "protocol.submit." + p + ".booking", Asker: "booking", Door: "submit", ID: "mine"}},
		{"again", full, []string{"Protocol-Subject", "protocol.submit." + p, "Protocol-Token", "9-1800/r2", "traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"},
			p, messages.Envelope{MsgID: "9-1800/r3", Subject: "protocol.submit." + p, Door: "submit", ID: "mine", Redriven: 3, Trace: "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}},
		{"submitted without any id, for the workers' own partner", bare, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700", "Protocol-Partner", p},
			p, messages.Envelope{MsgID: "5-1700/r1", Subject: "protocol.submit", Door: "submit", ID: "5-1700"}},
		{"asked and awaited", full, []string{"Protocol-Subject", "protocol.query." + p + ".till", "Protocol-Token", "tok", "Protocol-Door", "query", "Protocol-Reply-To", "_INBOX.x"},
			p, messages.Envelope{MsgID: "tok/r1", Subject: "protocol.query." + p + ".till", Asker: "till", Door: "query", ID: "mine", ReplyTo: "_INBOX.x"}},
		{"left by an earlier version", full, []string{"Protocol-Subject", "protocol.request." + full.KeyToken(), "Protocol-Token", "tok", "Protocol-Door", "query", "Protocol-Reply-To", "_INBOX.x", "Protocol-Partner", p},
			p, messages.Envelope{MsgID: "tok/r1", Subject: "protocol.query." + p, Door: "query", ID: "mine", ReplyTo: "_INBOX.x"}},
		{"with an id that is none", bare, []string{"Protocol-Subject", "protocol.submit." + p, "Protocol-Token", "5-1700", "Protocol-Id", strings.Repeat("x", 129)},
			p, messages.Envelope{MsgID: "5-1700/r1", Subject: "protocol.submit." + p, Door: "submit", ID: "5-1700"}},
		{"with broken headers", full, []string{"Protocol-Subject", "protocol.submit." + p, "Protocol-Token", "9-1800", "Protocol-Redriven", "x", "Protocol-Stored", "soon", "Protocol-Door", "back"},
			p, messages.Envelope{MsgID: "9-1800/r1", Subject: "protocol.submit." + p, Door: "submit", ID: "mine"}},
		{"refused at the door", full, []string{"Protocol-Subject", "protocol.query." + p},
			p, messages.Envelope{MsgID: "dead-7-42/r1", Subject: "protocol.submit." + p, Door: "submit", ID: "mine"}},
		// Headers that an asker put into a message that an earlier version refused open no
		// other door.
		{"forged", bare, []string{"Protocol-Subject", "protocol.submit." + p, "Protocol-Token", "5-1700", "Protocol-Door", "query", "Protocol-Partner", "2088000000000002", "Protocol-Reply-To", "protocol.reply.x"},
			p, messages.Envelope{MsgID: "5-1700/r1", Subject: "protocol.submit." + p, Door: "submit", ID: "5-1700"}},
		{"asked of nobody knows whom", bare, []string{"Protocol-Subject", "protocol.query", "Protocol-Token", "tok"}, "", messages.Envelope{}},
		{"late", late, []string{"Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700"}, "", messages.Envelope{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			names := deadNames(t)
			m, why := letterOf(t, tt.q, tt.headers...).again(names, &redriving{}, time.Now())
			if tt.to == "" {
				if m != nil || why == "" {
					t.Errorf("it was not left: %+v", m)
				}
				return
			}
			if m == nil || m.Subject != names.Redrive(tt.to) {
				t.Fatalf("%+v, left as %s", m, why)
			}
			// As a worker reads it.
			got, err := names.ParseEnvelope(m.Subject, m.Header, m.Data)
			if err != nil {
				t.Fatal(err)
			}
			if q, _, err := got.Query(); err != nil || q.ID != got.ID || q.UserEmail != tt.q.UserEmail {
				t.Errorf("it asks %+v, %v", q, err)
			}
			tt.want.Token, tt.want.Partner, tt.want.ContentType, tt.want.Body = tt.want.MsgID, tt.to, string(messages.MsgPack), got.Body
			tt.want.Redriven = max(tt.want.Redriven, 1)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// --drop-deadline asks without the deadline, which has passed.
func TestRedriveDropsDeadline(t *testing.T) {
	q := messages.Query{V: 1, ID: "mine", Partner: redrivenPartner, UserEmail: "a@example.com", DeadlineMs: 1_700_000_000_000}
	m, why := letterOf(t, q, "Protocol-Subject", "protocol.submit", "Protocol-Token", "5-1700").again(deadNames(t), &redriving{dropDeadline: true}, time.Now())
	if m == nil {
		t.Fatal(why)
	}
	want := q
	want.DeadlineMs = 0
	if got, _, err := messages.DecodeQuery(m.Data, ""); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

// If a redrive ends between storing the query and deleting the dead letter, the next one stores
// nothing and deletes it.
func TestRedriveTwiceAsksOnce(t *testing.T) {
	h := newDeadServer(t)
	for range 2 {
		h.add(messages.DeadPoison, queryBytes(t, messages.Query{ID: "mine", Partner: redrivenPartner, UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit", messages.HeaderToken, "5-1700")
	}
	h.add(messages.DeadUnreadable, []byte("noise"), messages.HeaderSubject, "protocol.submit", messages.HeaderToken, "6-1700")
	code, out, told := h.dead("redrive", "--all-matching", "--yes", "-o", "json")
	var r redriving
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != cli.ExitOther || r.Matched != 3 || r.Redriven != 2 || len(r.Skipped) != 1 || r.Skipped[0].Seq != 3 {
		t.Errorf("exit %d, %s%s", code, out, told)
	}
	if asked, left := len(h.asked()), len(h.messages("PROTOCOL_DEAD")); asked != 1 || left != 1 {
		t.Errorf("%d asked, %d left", asked, left)
	}
}

// Two at the same time both go through to the end, and ask once for each.
func TestTwoRedrivesAtOnce(t *testing.T) {
	h := newDeadServer(t)
	const letters = 40
	for i := range letters {
		h.add(messages.DeadPoison, queryBytes(t, messages.Query{ID: "mine", Partner: redrivenPartner, UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit", messages.HeaderToken, fmt.Sprint(i, "-1700"))
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if code, out, told := h.dead("redrive", "--all-matching", "--yes"); code != cli.ExitOK {
				t.Errorf("exit %d, %s%s", code, out, told)
			}
		})
	}
	both.Wait()
	if asked, left := len(h.asked()), len(h.messages("PROTOCOL_DEAD")); asked != letters || left != 0 {
		t.Errorf("%d asked, %d left", asked, left)
	}
}

// If the stream of submitted queries has no room, the dead letter stays.
func TestRedriveIntoAFullStream(t *testing.T) {
	h := newDeadServer(t)
	stream, err := h.js.Stream(t.Context(), "PROTOCOL_SUBMITTED")
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.MaxMsgs = 1
	if _, err := h.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"5-1", "6-1", "7-1"} {
		h.add(messages.DeadPoison, queryBytes(t, messages.Query{ID: "mine", Partner: redrivenPartner, UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit", messages.HeaderToken, token)
	}
	code, out, told := h.dead("redrive", "--all-matching", "--yes")
	if code != cli.ExitOther || !strings.Contains(out, "redriven  1 of 3") || !strings.Contains(told, "maximum messages exceeded") {
		t.Errorf("exit %d, %s%s", code, out, told)
	}
	if left := len(h.messages("PROTOCOL_DEAD")); left != 2 {
		t.Errorf("%d letters left, want 2", left)
	}
}

// A query with so much padding that the stream does not take it with the headers is asked again
// without the padding. It holds up no other.
func TestRedriveOfAPaddedQuery(t *testing.T) {
	h := newDeadServer(t)
	q := messages.Query{V: 1, ID: "mine", Partner: redrivenPartner, UserEmail: "a@example.com"}
	short, err := q.Encode(messages.JSON)
	if err != nil {
		t.Fatal(err)
	}
	padded := append(bytes.Repeat([]byte(" "), 4<<10-len(short)), short...)
	for token, data := range map[string][]byte{"5-1": padded, "6-1": short} {
		h.add(messages.DeadReplyRefused, data, messages.HeaderSubject, "protocol.submit", messages.HeaderToken, token, messages.HeaderContentType, string(messages.JSON))
	}
	if code, out, told := h.dead("redrive", "--all-matching", "--yes"); code != cli.ExitOK || !strings.Contains(out, "redriven  2 of 2") {
		t.Errorf("exit %d, %s%s", code, out, told)
	}
	for _, m := range h.asked() {
		if got, _, err := messages.DecodeQuery(m.Data, string(messages.JSON)); err != nil || !cmp.Equal(got, q) {
			t.Errorf("%v\n%s", err, cmp.Diff(q, got))
		}
	}
}

// Letters that somebody else has dealt with are no more in the sum, and it is said why.
func TestRedriveSaysWhatIsGone(t *testing.T) {
	var out bytes.Buffer
	c := &cobra.Command{}
	c.SetOut(&out)
	if err := (&redriving{Matched: 3, Redriven: 1, Gone: 2}).print(c); err != nil {
		t.Fatal(err)
	}
	if want := "gone      2: somebody else has dealt with them meanwhile\nredriven  1 of 3 dead letters\n"; out.String() != want {
		t.Errorf("says %q, want %q", out.String(), want)
	}
}
