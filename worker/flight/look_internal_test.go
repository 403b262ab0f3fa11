// What is known of remembered answers: the newest, in bounded memory.

package flight

import (
	"testing"

	"protocolq/worker/journal"
)

// The newest mostKnown answers are known, and at most twice as many, whatever came before.
func TestNewestAnswersAreKnown(t *testing.T) {
	a := newAnswers()
	ref := func(n int) journal.Ref { return journal.Ref{Position: uint64(n), Index: 1} }
	const all = 5*mostKnown + 7
	for n := 1; n <= all; n++ {
		if !a.see(ref(n), &journal.Answer{Run: "r", Keep: 5}) {
			t.Fatal("an answer is not noted")
		}
		if held := len(a.young) + len(a.old); held > 2*mostKnown {
			t.Fatalf("%d are held after %d", held, n)
		}
	}
	for n := all; n > all-mostKnown; n-- {
		if k, ok := a.get(ref(n)); !ok || k.run != "r" || k.first != ref(n) || k.keep != 5 {
			t.Fatalf("answer %d of %d: %+v, %v", n, all, k, ok)
		}
	}
	if _, ok := a.get(ref(1)); ok {
		t.Error("the first answer is still held")
	}
	if a.see(ref(1), &journal.Ask{}) || a.see(ref(1), &journal.Answer{Verdict: journal.Released}) {
		t.Error("what is no answer is noted")
	}
}

// An entry that nobody waits for any more is not noted: it may be of the log before this one.
func TestUnwantedEntryIsNotNoted(t *testing.T) {
	f := &Flights{answers: newAnswers()}
	at, e := journal.Ref{Position: 7, Index: 1}, &journal.Answer{Run: "r"}
	if f.Read(at, e, 0); len(f.answers.young) != 0 {
		t.Errorf("%+v is noted", f.answers.young)
	}
	f.answers.reading[at] = nil
	if f.Read(at, e, 0); len(f.answers.young) != 1 || len(f.answers.reading) != 0 {
		t.Errorf("%+v is noted, %+v is awaited", f.answers.young, f.answers.reading)
	}
}
