// What is known of messages, and how much of it.

package ask

import (
	"strconv"
	"testing"
)

func TestKnown(t *testing.T) {
	var k known
	id := identityOf("run", "1", "2")
	for i, want := range []state{fresh, busy, fresh, done, done} {
		if got := k.begin(id); got != want {
			t.Errorf("%d: %d, want %d", i, got, want)
		}
		switch i {
		case 1:
			k.end(id, false)
		case 2:
			k.end(id, true)
		}
	}
	if identityOf("a", "bc") == identityOf("ab", "c") {
		t.Error("two answers are one")
	}
}

func TestKnownIsBounded(t *testing.T) {
	var k known
	for i := range mostKnown + 2 {
		id := identityOf(strconv.Itoa(i))
		if got := k.begin(id); got != fresh {
			t.Fatal(i, got)
		}
		k.end(id, true)
	}
	if len(k.state) != mostKnown || len(k.done) != mostKnown {
		t.Errorf("%d and %d are known", len(k.state), len(k.done))
	}
	for i, want := range map[int]state{1: fresh, 2: done, mostKnown + 1: done} {
		if got := k.begin(identityOf(strconv.Itoa(i))); got != want {
			t.Errorf("%d: %d, want %d", i, got, want)
		}
	}
}
