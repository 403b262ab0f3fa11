// What is remembered of messages, and how much.

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
			k.again(id, 1)
		case 2:
			k.end(id)
		}
	}
	if n := k.failures(id); n != 0 {
		t.Errorf("%d errors of what is done with", n)
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
		k.end(id)
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

func TestFailuresAreBounded(t *testing.T) {
	var k known
	first := identityOf("0")
	for i := range mostKnown {
		k.again(identityOf(strconv.Itoa(i)), 1)
	}
	k.again(first, 1)
	k.again(first, 0)
	if n := k.failures(first); n != 2 || len(k.failed) != mostKnown {
		t.Errorf("%d errors, %d messages", n, len(k.failed))
	}
	k.again(identityOf("one more"), 1)
	if len(k.failed) != 1 {
		t.Errorf("%d messages", len(k.failed))
	}
}
