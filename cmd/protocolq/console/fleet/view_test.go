// The page's view: which halts of a partner it shows.

package fleet

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker"
	"protocolq/worker/partner"
)

// halting is a worker that asks for the partner "p" and has halted it, or not.
func halting(by string) Worker {
	s := worker.Stats{Partners: map[string]worker.Partner{"p": {Rate: 10}}}
	if by != "" {
		s.Halts = map[string]partner.Halt{"p": {Halted: true, By: by}}
	}
	return Worker{Stats: s}
}

// The fleet's halt is shown once, though each worker names it. Without one, each worker is shown
// that has halted the partner for itself, four at most.
func TestHaltsOfAPartner(t *testing.T) {
	many := map[string]Worker{}
	for i := range 6 {
		many[fmt.Sprint(i)] = halting(fmt.Sprint("w", i))
	}
	two := map[string]Worker{"0": halting("w0"), "1": halting("")}
	for _, c := range []struct {
		name  string
		of    Reading
		fleet bool
		shown []string
		count int
	}{
		{"none", Reading{Workers: map[string]Worker{"0": halting("")}}, false, nil, 0},
		{"one's own", Reading{Workers: two}, false, []string{"w0"}, 1},
		{"a halt that has ended", Reading{Workers: two, Halts: map[string]partner.Halt{"p": {By: "w1"}}}, false, []string{"w0"}, 1},
		{"the fleet's", Reading{Workers: two, Halts: map[string]partner.Halt{"p": {Halted: true, By: "operator"}}}, true, []string{"operator"}, 1},
		{"the fleet's, and no worker", Reading{Halts: map[string]partner.Halt{"p": {Halted: true, By: "operator"}}}, true, []string{"operator"}, 1},
		{"many", Reading{Workers: many}, false, []string{"w0", "w1", "w2", "w3"}, 6},
	} {
		list := partnersOf(&c.of, &Point{})
		if len(list) != 1 || list[0].Name != "p" || list[0].Workers != len(c.of.Workers) || list[0].Fleet != c.fleet || len(list[0].Halts) != c.count {
			t.Errorf("%s: %+v", c.name, list)
			continue
		}
		var shown []string
		for _, h := range list[0].Shown() {
			shown = append(shown, h.By)
		}
		if d := cmp.Diff(c.shown, shown); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}
