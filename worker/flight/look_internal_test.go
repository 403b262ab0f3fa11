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
