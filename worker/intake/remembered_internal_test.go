// Remembered answers: encoded once, and never another's.

package intake

import (
	"fmt"
	"testing"

	"protocolq/messages"
	"protocolq/worker/journal"
)

func keptOf(t *testing.T, run string, position uint64, r messages.Result) Kept {
	t.Helper()
	data, err := r.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	return Kept{Answer: &journal.Answer{Run: run, Result: data, Verdict: journal.Conclusive}, At: journal.Ref{Position: position, Index: 1}}
}

func TestAnswersAreShared(t *testing.T) {
	s := newAnswers(mostAnswers)
	signed := keptOf(t, "run-1", 7, messages.Result{Outcome: messages.Signed})
	of := func(m Kept, key, partner string, e messages.Encoding) *answer {
		t.Helper()
		a, err := s.of(m, &ask{q: messages.Query{Key: key, Partner: partner}, encoding: e})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := of(signed, "", partner, messages.MsgPack)
	if of(signed, "", partner, messages.MsgPack) != first {
		t.Error("not shared")
	}
	for name, other := range map[string]*answer{
		"encoding": of(signed, "", partner, messages.JSON),
		"key":      of(signed, "k", partner, messages.MsgPack),
		"partner":  of(signed, "", partner2, messages.MsgPack),
		"place":    of(keptOf(t, "run-1", 8, messages.Result{Outcome: messages.Signed}), "", partner, messages.MsgPack),
	} {
		if other == first {
			t.Errorf("shared with another %s", name)
		}
	}
	// The log was restored from an older copy: another answer lies at the same place.
	if a := of(keptOf(t, "run-2", 7, messages.Result{Outcome: messages.NotSigned}), "", partner, messages.MsgPack); a.result.Outcome != messages.NotSigned || a.run != "run-2" {
		t.Errorf("%+v", a.result)
	}
	if a := of(signed, "", partner, messages.MsgPack); a.result.Outcome != messages.Signed {
		t.Errorf("%+v", a.result)
	}
	if _, err := s.of(Kept{Answer: &journal.Answer{Run: "run-3", Result: []byte("?")}}, &ask{}); err == nil {
		t.Error("read what is no Result")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	s := newAnswers(10 * overhead)
	hot := &ask{q: messages.Query{Key: "hot", Partner: partner}, encoding: messages.MsgPack}
	m := keptOf(t, "run", 1, messages.Result{Outcome: messages.Signed})
	first, err := s.of(m, hot)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		if _, err := s.of(m, &ask{q: messages.Query{Key: fmt.Sprint(i), Partner: partner}, encoding: messages.MsgPack}); err != nil {
			t.Fatal(err)
		}
		if a, _ := s.of(m, hot); a != first {
			t.Fatalf("what is asked for was forgotten after %d", i)
		}
		if n := len(s.young) + len(s.old); n > 24 {
			t.Fatalf("%d are held", n)
		}
	}
}
