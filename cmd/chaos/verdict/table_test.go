//go:build unix

// Tests of what a run prints.

package verdict

import (
	"strings"
	"testing"
)

// Whoever sees only the last lines of a run sees which bounds were broken, and by what.
func TestBrokenBoundsStandLast(t *testing.T) {
	var out strings.Builder
	PrintTable(&out, []Row{
		{Name: "kills", Seed: 7, Verdict: Verdict{Broken: []string{"2 answers lost"}, Offences: []string{"lost: a-1"}},
			Logged: []string{"3 × in trouble"}},
		{Name: "calm", Seed: 7},
	})
	want := "\nBROKEN  kills, seed 7: 2 answers lost\n        lost: a-1\n        3 × in trouble\n"
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("ends with %q, want %q", out.String()[max(0, out.Len()-len(want)-20):], want)
	}
	if strings.Contains(out.String(), "BROKEN  calm") {
		t.Error("a row that held is listed")
	}
}
