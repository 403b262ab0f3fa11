//go:build unix

// Made-up evidence in which every promise is held.

package verdict

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// held are the bounds that it is held to.
func held() Bounds {
	p := ShortPace()
	return Bounds{Excused: true, Recovery: p.Recovery, Pace: p}
}

// keyOf is an account's key as the journal spells it.
func keyOf(email string) string {
	text := messages.Query{Partner: Partner, UserEmail: email}.KeyToken()
	var bits [17]byte
	for i, c := range []byte(text) {
		n := c - '0'
		if c >= 'a' {
			n = c - 'a' + 10
		}
		for b := range 5 {
			if at := 5*i + b; n&(16>>b) != 0 {
				bits[at/8] |= 128 >> (at % 8)
			}
		}
	}
	return hex.EncodeToString(bits[:16])
}

// journalAsk is an ask as it is journalled.
func journalAsk(id, email, reply string, door int) entry {
	q := messages.Query{V: messages.Version, ID: id, Partner: Partner, UserEmail: email}
	body, err := q.Encode(messages.MsgPack)
	if err != nil {
		panic(err)
	}
	return entry{Kind: anAsk, Token: "token-" + id, Key: keyOf(email), Question: "q" + email, Query: body, Reply: reply, Door: door, MaxAge: -1}
}

// batchAt is a batch of a member.
func batchAt(position uint64, at int64, member string, entries ...entry) Batch {
	for i := range entries {
		entries[i].At, entries[i].Stored, entries[i].Member = place{position, i + 1}, at, member
	}
	return Batch{Position: position, Stored: at, Member: member, Entries: entries}
}

const (
	one = "signed+1@example.com"
	two = "not-signed+2@example.com"
)

// sound is evidence in which every promise is held: two accounts, three asks, a worker killed
// between.
func sound() *Evidence {
	answer := func(email, run string) entry {
		return entry{Kind: anAnswer, Key: keyOf(email), Question: "q" + email, Run: run, Verdict: conclusive, Keep: 3_600_000}
	}
	return &Evidence{
		Asks: map[string]*Ask{
			"a": {ID: "a", Times: 1, Door: "query", Email: one, Sent: 1 * Second, Replies: []reply{{At: 2 * Second, Outcome: "signed", Run: "r1", Says: "s1"}}},
			"b": {ID: "b", Times: 1, Door: "submit", Durable: true, Email: one, Sent: 1 * Second, Acked: 1*Second + 1, Replies: []reply{{At: 2 * Second, Outcome: "signed", Run: "r1", Says: "s1"}}},
			"c": {ID: "c", Times: 1, Door: "submit", Durable: true, Email: two, Sent: 10 * Second, Acked: 10*Second + 1, Replies: []reply{{At: 16 * Second, Outcome: "not_signed", Run: "r3", Says: "s3"}}},
		},
		Calls: []simulator.Call{
			{Partner: Partner, Key: one, Started: 1 * Second, Ended: 2*Second - 9, Answer: "signed", Conclusive: true, Conn: 1},
			{Partner: Partner, Key: two, Started: 10 * Second, Ended: 11 * Second, Answer: "client-left", Conn: 2},
			{Partner: Partner, Key: two, Started: 15 * Second, Ended: 16*Second - 9, Answer: "not-signed", Conclusive: true, Conn: 1},
		},
		Faults: []Fault{{At: 11 * Second, Kind: Killed, Who: "worker-1"}},
		Journal: []Chronicle{{Batches: []Batch{
			batchAt(1, Second/2, "m2"),
			batchAt(2, 1*Second-10, "m1", journalAsk("a", one, "_INBOX.a", byAwait), journalAsk("b", one, "protocol.reply.chaos.b", bySubmit),
				entry{Kind: aBegin, Key: keyOf(one), Run: "r1", Attempt: 1, Asked: place{2, 1}}),
			batchAt(3, 2*Second-5, "m1", answer(one, "r1")),
			batchAt(4, 2*Second+9, "m1", entry{Kind: aTold, Entries: []place{{2, 1}, {2, 2}, {3, 1}}}),
			batchAt(5, 10*Second-10, "m1", journalAsk("c", two, "protocol.reply.chaos.c", bySubmit), entry{Kind: aBegin, Key: keyOf(two), Run: "r2", Attempt: 1, Asked: place{5, 1}}),
			batchAt(6, 14*Second, "m1", entry{Kind: aSeal, By: "m2", Why: "silent"}),
			batchAt(7, 15*Second-5, "m2", entry{Kind: aBegin, Key: keyOf(two), Run: "r3", Attempt: 2, Deaths: 1, Asked: place{5, 1}, Follows: "r2"}),
			batchAt(8, 16*Second-5, "m2", answer(two, "r3")),
			batchAt(9, 16*Second+9, "m2", entry{Kind: aTold, Entries: []place{{5, 1}, {8, 1}}}),
		}}},
		Dead: map[string]string{}, Events: map[string]int{"r1": 1, "r3": 1}, Durable: map[string]int{"token-b": 1, "token-c": 1},
	}
}

// at is the entry at a place of the made-up journal.
func (t *Evidence) at(position, index int) *entry {
	return &t.Journal[0].Batches[position-1].Entries[index-1]
}

// add lets the journal go on.
func (t *Evidence) add(at int64, member string, entries ...entry) {
	c := &t.Journal[0]
	c.Batches = append(c.Batches, batchAt(uint64(len(c.Batches)+1), at, member, entries...))
}

// The ledger's own account of the made-up journal.
func TestTheLedger(t *testing.T) {
	l := Fold(sound().Journal[0])
	if len(l.Offences) > 0 || len(l.Asks) != 3 || len(l.begins) != 3 || len(l.ByRun) != 2 {
		t.Fatalf("%d asks, %d begins, %d runs, offences: %v", len(l.Asks), len(l.begins), len(l.ByRun), l.Offences)
	}
	settled := map[string]settlement{}
	for token, a := range l.Asks {
		if a.Settled == nil || !a.Replies {
			t.Fatalf("%s is %+v", token, a)
		}
		settled[token] = *a.Settled
	}
	want := map[string]settlement{"token-a": {Run: "r1", Stored: 2*Second - 5}, "token-b": {Run: "r1", Stored: 2*Second - 5}, "token-c": {Run: "r3", Stored: 16*Second - 5}}
	if diff := cmp.Diff(want, settled); diff != "" {
		t.Error(diff)
	}
	for i, wants := range []struct {
		logged string
		since  int64
	}{{"r1", 0}, {"r3", 0}, {"r3", 10*Second - 10}} {
		if b := l.begins[i]; !b.Counts || b.Logged != wants.logged || b.Since != wants.since {
			t.Errorf("begin %d is %+v", i, b)
		}
	}
}

func TestWhatIsVoidDoesNotCount(t *testing.T) {
	saw := sound()
	saw.add(17*Second, "m2", entry{Kind: anAnswer, Key: keyOf(two), Question: "q" + two, Run: "r2", Verdict: conclusive})
	saw.add(18*Second, "m2", entry{Kind: aBegin, Key: keyOf(one), Run: "r9", Attempt: 2, Follows: "r1"})
	saw.add(19*Second, "m2", entry{Kind: aSettled, Entries: []place{{5, 1}}, Why: "DEADLINE"})
	saw.add(20*Second, "m2", journalAsk("a", one, "_INBOX.z", byAwait))
	l := Fold(saw.Journal[0])
	if len(l.Offences) > 0 || len(l.ByRun) != 2 || l.begins[3].Counts || l.Asks["token-c"].Settled.Run != "r3" || len(l.Asks) != 3 {
		t.Errorf("%d runs, begin %+v, ask %+v, offences %v", len(l.ByRun), l.begins[3], l.Asks["token-c"].Settled, l.Offences)
	}
}

// unjournal takes an ask out of the journal: a door has answered it from memory.
func (t *Evidence) unjournal(id string) {
	t.Asks[id].Replies[0].Source = string(messages.Remembered)
	*t.at(2, 1) = *t.at(2, 2)
	t.at(2, 1).At = place{2, 1}
}
