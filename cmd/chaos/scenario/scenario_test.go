//go:build unix

// Tests of the list of scenarios.

package scenario

import (
	"testing"

	"protocolq/cmd/chaos/verdict"
)

func TestScenariosAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All(verdict.ShortPace()) {
		if seen[s.Name] || s.About == "" || (s.harm == nil) == (s.alone == nil) {
			t.Errorf("scenario %q", s.Name)
		}
		seen[s.Name] = true
	}
	if _, err := Choose(verdict.ShortPace(), "kills,nonsense", true); err == nil {
		t.Error("a scenario that is none is taken")
	}
	short, _ := Choose(verdict.ShortPace(), "", false)
	all, _ := Choose(verdict.ShortPace(), "", true)
	if many, err := Choose(verdict.ShortPace(), "many", false); err != nil || len(many) != 1 || len(short) >= len(all) {
		t.Errorf("%d scenarios in all, %d in the short run, %v", len(all), len(short), err)
	}
}
