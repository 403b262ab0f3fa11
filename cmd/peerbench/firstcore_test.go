// Who measures the first core, and what is left where a clone does not hold it.
package main

import (
	"slices"
	"strings"
	"testing"
)

func TestFirstCoreIsItsOwnProgram(t *testing.T) {
	for name, want := range map[string]string{
		firstCore: firstCoreBinary, firstCore + "#2": firstCoreBinary, firstCore + "@/tmp/old": "/tmp/old", mine: "bin/protocolq",
	} {
		o := options{contestant: name}
		ct, err := o.pick()
		if err != nil || o.protocolq != want {
			t.Errorf("%s runs %s, %v; want %s", name, o.protocolq, err, want)
		}
		if ct.cmd != ours.cmd || ct.setup != ours.setup || ct.beside != ours.beside || ct.ingest != core {
			t.Errorf("%s is not run as protocolq is: %+v", name, ct)
		}
	}
	if !strings.HasSuffix(firstCoreBinary, firstCoreCommit) {
		t.Error("a program of another commit would be taken for this one's")
	}
}

func TestLeaveOut(t *testing.T) {
	cells := []cell{
		{dist: "zipf", contestants: []string{mine, firstCore + "#2", firstCore, "bare"}},
		{dist: "same", contestants: []string{firstCore}},
		{dist: "unique", contestants: []string{"bare"}},
	}
	if !asks(cells, firstCore) || asks(cells[2:], firstCore) {
		t.Error("who asks for the first core")
	}
	left := leaveOut(cells, firstCore)
	if len(left) != 2 || !slices.Equal(left[0].contestants, []string{mine, "bare"}) || !slices.Equal(left[1].contestants, []string{"bare"}) {
		t.Errorf("left are %+v", left)
	}
	if len(cells[0].contestants) != 4 {
		t.Error("the plan itself was changed")
	}
}
