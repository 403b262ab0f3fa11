// What is refused for good is cut or becomes a dead letter, and is never tried as if it would pass.

package outbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
)

func TestABadSubjectIsRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		bad := runOf(t, 1)
		bad.Run.Query, bad.Run.Answer.Partner = nil, "2088*"
		s.add(bad, askOf(t, 2, "protocol.reply.a..b", signed(t, "run")), askOf(t, 3, "_INBOX.a b", signed(t, "run")), askOf(t, 4, "_INBOX.>", signed(t, "run")))
		pass(time.Second)
		if s.finished() != 4 || s.events.tried()+s.replies.tried()+s.inboxes.tried() != 0 || s.box.Stats().Lost != 1 {
			t.Errorf("%d done, %+v", s.finished(), s.box.Stats())
		}
		if got := strings.Join(s.dead.ids(), " "); got != "tok-2/reply_refused tok-3/reply_refused tok-4/reply_refused" {
			t.Errorf("dead letters %s", got)
		}
	})
}

func TestAnEventIsCutUntilItsStreamTakesIt(t *testing.T) {
	asks := make([]*journal.Ask, 150)
	for i := range asks {
		q := messages.Query{ID: fmt.Sprintf("order-%03d-of-zhang@example.com", i), Partner: partner, UserEmail: "zhang.san@example.com", Meta: map[string]string{"secret": "meta"}}
		asks[i] = &journal.Ask{Query: must(q.Encode(messages.JSON))(t)}
	}
	tests := []struct {
		most, ids int
		email     string
		lost      uint64
	}{
		{0, 100, "z***@e***.com", 0},
		{1000, 0, "z***@e***.com", 0},
		{210, 0, "", 0},
		{100, 0, "", 1},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			defer s.end()
			s.events.most = tt.most
			s.add(runOf(t, 1, asks...))
			pass(time.Second)
			if _, ok := s.doneAt(ref(1)); !ok || s.box.Stats().Lost != tt.lost || s.events.tried() > 3 {
				t.Errorf("at most %d bytes: done %t after %d tries, %+v", tt.most, ok, s.events.tried(), s.box.Stats())
			}
			if tt.lost > 0 {
				return
			}
			var e messages.Event
			msgs := s.events.has()
			if err := json.Unmarshal(msgs[0].Data, &e); err != nil {
				t.Fatal(err)
			}
			if len(e.AskIDs) != tt.ids || e.Asks != 150 || e.UserEmail != tt.email || e.Run != "run-1" || !*e.ChargeAgent {
				t.Errorf("at most %d bytes: %d ids of %d, %q: %s", tt.most, len(e.AskIDs), e.Asks, e.UserEmail, msgs[0].Data)
			}
			if strings.Contains(string(msgs[0].Data), "example.com") || strings.Contains(string(msgs[0].Data), "meta") {
				t.Errorf("not for everybody: %s", msgs[0].Data)
			}
		})
	}
}

func TestAReplyRefusedForGoodBecomesADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.replies.most = 100
		for i := range 20 {
			d := askOf(t, i, "protocol.reply.shop", signed(t, "run"))
			d.Ask.Ask.Encoding = messages.JSON.Byte() // of the reply; the journal has one of its own
			s.add(d)
			pass(3 * time.Second)
		}
		if s.finished() != 20 || s.box.Waiting() != 0 || s.replies.tried() != 20 {
			t.Errorf("%d done after %d tries", s.finished(), s.replies.tried())
		}
		dead := s.dead.has()
		if len(dead) != 20 {
			t.Fatalf("%d dead letters", len(dead))
		}
		m := dead[3]
		q, _, err := messages.DecodeQuery(m.Data, m.Header.Get(messages.HeaderContentType))
		if m.Subject != "protocol.dead.reply_refused" || m.Header.Get(messages.HeaderMsgID) != "tok-3/reply_refused" || err != nil || q.ID != "id-3" ||
			!strings.Contains(m.Header.Get(messages.HeaderReason), "message size exceeds maximum allowed") {
			t.Errorf("%s %v %+v", m.Subject, m.Header, q)
		}
		if got := s.said.count("refused for good"); got != 2 { // in 60 s
			t.Errorf("said %d times: %v", got, s.said.lines)
		}
		if st := s.box.Stats(); st.Sinks[1].Refused != 20 || st.Sinks[1].Name != "durable reply" || st.Lost != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestARefusedReplyIsDoneWithItsDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		defer s.end()
		s.replies.most = 100
		s.dead.is(gone)
		s.add(askOf(t, 1, "protocol.reply.shop", signed(t, "run")))
		pass(10 * time.Second)
		if s.finished() != 0 || s.box.Waiting() != 1 {
			t.Errorf("%d done, %d wait", s.finished(), s.box.Waiting())
		}
		s.dead.is(well)
		pass(2 * time.Second)
		if s.finished() != 1 || s.dead.size() != 1 || s.replies.tried() != 1 {
			t.Errorf("%d done, %d dead letters, %d tries of the reply", s.finished(), s.dead.size(), s.replies.tried())
		}
	})
}

func TestADeadLetterIsBoundedAndCut(t *testing.T) {
	data := []byte(strings.Repeat("x", 200<<10))
	for most, want := range map[int]int{0: 64 << 10, 5000: 4 << 10, 10: 0} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			defer s.end()
			s.dead.most = most
			s.add(outbox.Duty{Entry: journal.Ref{Position: 9, Index: 1}, Corrupt: &outbox.Corrupt{Member: "m1", Position: 9, Stored: serverTime, Data: data}})
			pass(time.Second)
			dead := s.dead.has()
			if len(dead) != 1 || len(dead[0].Data) != want || dead[0].Subject != "protocol.dead.corrupt" {
				t.Fatalf("at most %d bytes: %d letters", most, len(dead))
			}
			h := dead[0].Header
			if h.Get(messages.HeaderSubject) != "protocol.journal.m1" || h.Get(messages.HeaderMsgID) != "journal-9-1795424390123000000/corrupt" ||
				!strings.Contains(h.Get(messages.HeaderReason), "of 204800 bytes") {
				t.Errorf("%v", h)
			}
		})
	}
}

// A sink that was away, and for which nothing waits any more because another has told it all, is
// not said to be away until the next message comes.
func TestNothingWaitsForASinkThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, m := range []manner{gone, silent} {
			s := newStage(t)
			s.events.is(m)
			s.add(runOf(t, 1))
			pass(7 * time.Second)
			away := func() bool { return s.box.Stats().Sinks[2].Away }
			if !away() {
				t.Error("the stream of events is not away")
			}
			s.box.Told(ref(1))
			pass(10 * time.Second)
			if st := s.box.Stats(); away() || st.Sinks[2].Waiting != 0 || st.Waiting != 0 {
				t.Errorf("%+v", st)
			}
			s.end()
		}
	})
}
