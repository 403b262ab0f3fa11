// The world finds what members do wrong, and the same in each run of a seed.

package simtest_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
	"protocolq/worker/simtest"
)

// refusal is a member that begins nothing and refuses waiting asks.
type refusal struct{ *simtest.Member }

func (r refusal) Decide(d *fleet.Draft) {
	for _, k := range r.World().Keys {
		var refs []journal.Ref
		for _, a := range r.State.Waiting(k) {
			refs = append(refs, a.First)
		}
		if len(refs) > 0 && r.State.May(r.Own, k) {
			d.Add(&journal.Settled{Asks: refs, Why: "NO"}, k)
		}
	}
}

func (refusal) Tick()                                  {}
func (refusal) Applied(*journal.Batch, *fleet.Changes) {}
func (refusal) Stored(uint64, []journal.Entry)         {}
func (refusal) Open() bool                             { return false }
func (refusal) Idle() bool                             { return true }
func (refusal) Drain()                                 {}

// silence decides nothing.
type silence struct{ refusal }

func (silence) Decide(*fleet.Draft) {}

// haste answers an asker as soon as it knows of it.
type haste struct{ refusal }

func (h haste) Applied(*journal.Batch, *fleet.Changes) {
	for _, k := range h.World().Keys {
		for _, a := range h.State.Waiting(k) {
			h.ReplyAhead(a, "NO")
		}
	}
}

// idleness begins runs that no ask waits for.
type idleness struct{ refusal }

func (i idleness) Decide(d *fleet.Draft) {
	if k := i.World().Keys[0]; i.State.May(i.Own, k) && i.State.Open(k) == nil && len(i.State.Waiting(k)) == 0 {
		d.Add(&journal.Begin{Key: k, Run: i.World().Name("r"), Attempt: 1}, k)
	}
}

// greed takes over a run that another has open.
type greed struct{ refusal }

func (g greed) Decide(d *fleet.Draft) {
	for _, k := range g.World().Keys {
		b := &journal.Begin{Key: k, Run: g.World().Name("r"), Attempt: 1}
		open := g.State.Open(k)
		switch {
		case open == nil && g.State.May(g.Own, k) && len(g.State.Waiting(k)) > 0:
			d.Add(b, k)
		case open != nil && open.Writer != g.ID && !g.Own.Touches(k):
			b.Attempt, b.Follows = open.Attempt+1, open.ID
			d.Add(b, k)
		}
	}
}

// calls makes a call for a run that is not in the log.
type calls struct{ refusal }

func (c calls) Tick() {
	if c.MayCall() {
		c.Calls(simtest.Call{Key: c.World().Keys[0], Run: "r", Attempt: 1, Took: time.Second, Worst: 1000})
	}
}

// late makes one when its lease is over.
type late struct{ refusal }

func (l late) Tick() {
	if !l.Over() && !l.MayCall() {
		l.Calls(simtest.Call{Key: l.World().Keys[0], Run: "r", Attempt: 1, Took: time.Second, Worst: 1000})
	}
}

// aging answers without a call, and copies the answers as if they had nearly expired.
type aging struct{ refusal }

func (a aging) Decide(d *fleet.Draft) {
	for _, k := range a.World().Keys {
		kept, remembered := a.State.Answers().Get(k)
		waiting, open := a.State.Waiting(k), a.State.Open(k)
		switch {
		case !a.State.May(a.Own, k):
		case open != nil && open.Writer == a.ID && len(waiting) > 0:
			d.Add(&journal.Answer{Key: k, Question: waiting[0].Question, Run: open.ID, Verdict: journal.Conclusive,
				Keep: time.Minute, Begun: open.First}, k)
		case remembered:
			d.Add(&journal.Carried{First: kept.At, Writer: a.ID, Age: time.Minute - time.Second,
				Entry: a.World().Answer(kept.At)}, k)
		case open == nil && len(waiting) > 0:
			d.Add(&journal.Begin{Key: k, Run: a.World().Name("r"), Attempt: 1, Asked: waiting[0].First}, k)
		}
	}
}

// play plays a seed with members of one kind.
func play(seed uint64, kind func(refusal) simtest.Runs) (*simtest.World, string) {
	w := simtest.New(seed, simtest.Options{
		Runs: func(m *simtest.Member, _ simtest.Runs) simtest.Runs { return kind(refusal{m}) },
	})
	return w, w.Play()
}

func TestWhatIsWrongIsFound(t *testing.T) {
	for _, c := range []struct {
		name string
		kind func(refusal) simtest.Runs
		want string // in what is wrong; "": nothing is
	}{
		{"refuses everybody", func(r refusal) simtest.Runs { return r }, ""},
		{"decides nothing", func(r refusal) simtest.Runs { return silence{r} }, " still waits"},
		{"answers before the log says so", func(r refusal) simtest.Runs { return haste{r} }, "is answered NO, of which the log says nothing"},
		{"begins for nobody", func(r refusal) simtest.Runs { return idleness{r} }, " for nobody"},
		{"takes over an open run", func(r refusal) simtest.Runs { return greed{r} }, "which lives"},
		{"copies an answer as older than it is", func(r refusal) simtest.Runs { return aging{r} }, "copies the answer at"},
		{"calls without a begin", func(r refusal) simtest.Runs { return calls{r} }, "which is not its key's open run"},
		{"calls after its lease", func(r refusal) simtest.Runs { return late{r} }, "its lease may end before the call"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := ""
			for seed := uint64(1); seed <= 10/simtest.Slower && found == ""; seed++ {
				_, found = play(seed, c.kind)
			}
			if c.want == "" && found != "" || !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}

func TestSeedsRepeat(t *testing.T) {
	kind := func(r refusal) simtest.Runs { return r }
	one, _ := play(1, kind)
	again, _ := play(1, kind)
	other, _ := play(2, kind)
	if !maps.Equal(one.Seen, again.Seen) {
		t.Errorf("one seed has two histories: %v and %v", one.Seen, again.Seen)
	}
	if maps.Equal(one.Seen, other.Seen) {
		t.Errorf("another seed has the same history: %v", one.Seen)
	}
	for _, what := range []string{"asked", "told", "died", "frozen", "sealed", "rejoined", "request lost", "gap"} {
		if one.Seen[what]+other.Seen[what] == 0 {
			t.Errorf("in no seed: %s", what)
		}
	}
}

// Of two things at one time the one that was put in first happens first.
func TestTimeGoesFromOneEventToTheNext(t *testing.T) {
	w := simtest.New(1, simtest.Options{
		Runs: func(m *simtest.Member, _ simtest.Runs) simtest.Runs { return refusal{m} },
	})
	var got []string
	note := func(what string) func() {
		return func() { got = append(got, fmt.Sprint(what, " at ", w.Now())) }
	}
	w.After(2*time.Second, note("third"))
	w.After(time.Second, note("first"))
	w.After(time.Second, note("second"))
	if wrong := w.Play(); wrong != "" {
		t.Fatal(wrong)
	}
	if got, want := strings.Join(got, ", "), "first at 1s, second at 1s, third at 2s"; got != want {
		t.Errorf("happened: %s; want %s", got, want)
	}
}

// Each seed is played once, in order.
func TestSimulationPlaysSeedAfterSeed(t *testing.T) {
	var played []uint64
	t.Run("of 30", func(t *testing.T) {
		simtest.Simulation{Package: "./worker/simtest", Seeds: 30, Play: func(_ *testing.T, seed uint64) (map[string]int, string) {
			played = append(played, seed)
			return map[string]int{"played": 1}, ""
		}, Must: []string{"played"}}.Run(t)
	})
	if len(played) != 30/simtest.Slower || played[0] != 1 || played[len(played)-1] != uint64(len(played)) {
		t.Errorf("played %v", played)
	}
}
