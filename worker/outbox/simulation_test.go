// A fleet's life drawn from a seed: sinks that go away, are slow and lose acknowledgements, and
// members that die over their duties.

package outbox_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/outbox"
	"protocolq/worker/querylog"
)

var seeds = flag.Int("seeds", 12, "lives that TestLife goes through")

func TestLife(t *testing.T) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newLife(t, seed).live() })
		})
	}
}

// life is a stage whose sinks fail by chance, and the journal as far as it says what is owed.
type life struct {
	*stage
	chance *rand.Rand
	owed   []outbox.Duty
	asks   map[string]journal.Ref // by token
	runs   map[string]journal.Ref
	given  int // of owed
}

func newLife(t *testing.T, seed uint64) *life {
	time.Sleep(time.Until(serverTime)) // a bubble begins in a year that no line may be of
	l := &life{stage: newStage(t), chance: rand.New(rand.NewPCG(seed, 11)), asks: map[string]journal.Ref{}, runs: map[string]journal.Ref{}}
	for i, name := range slices.Sorted(maps.Keys(l.sinks())) {
		s := l.sinks()[name]
		s.chance, s.lose, s.slow = rand.New(rand.NewPCG(seed, uint64(i))), 0.05*l.chance.Float64(), time.Duration(l.chance.Int64N(int64(time.Second)))+1
	}
	for n := range 150 + l.chance.IntN(150) {
		l.journal(10 * n)
	}
	return l
}

// journal adds the entries of one run, or of asks without one.
func (l *life) journal(n int) {
	run := runOf(l.t, n)
	for i := range 1 + l.chance.IntN(5) {
		to := []string{"", "protocol.reply.shop", fmt.Sprintf("_INBOX.a.%d", n+i)}[l.chance.IntN(3)]
		d := askOf(l.t, n+1+i, to, run.Run.Answer)
		if l.chance.IntN(10) == 0 {
			d = lateAsk(l.t, n+1+i, to)
		}
		if l.chance.IntN(3) == 0 {
			q, _, err := messages.DecodeQuery(d.Ask.Ask.Query, "")
			if err != nil {
				l.t.Fatal(err)
			}
			d.Ask.Read = &q
		}
		d.Ask.Ask.Encoding = uint8(1 + l.chance.IntN(2))
		l.owed = append(l.owed, d)
		l.asks[d.Ask.Ask.Token] = d.Entry
	}
	l.owed = append(l.owed, run)
	l.runs[run.Run.Answer.Run] = run.Entry
}

// live gives duties over half a minute while one sink after another is away and members die, and
// then lets all be well.
func (l *life) live() {
	defer func() { l.end() }()
	names := slices.Sorted(maps.Keys(l.sinks()))
	for l.given < len(l.owed) {
		for range min(1+l.chance.IntN(10), len(l.owed)-l.given) {
			if !l.box.Add(l.owed[l.given]) {
				l.t.Fatal("no room")
			}
			l.given++
		}
		pass(time.Duration(l.chance.Int64N(int64(500 * time.Millisecond))))
		if l.chance.IntN(20) == 0 {
			s := l.sinks()[names[l.chance.IntN(len(names))]]
			s.is([]manner{well, gone, silent, full}[l.chance.IntN(4)])
		}
		if l.chance.IntN(40) == 0 {
			l.die()
		}
	}
	for _, s := range l.sinks() {
		s.is(well)
		s.mu.Lock()
		s.lose = 0
		s.mu.Unlock()
	}
	pass(time.Minute)
	l.check()
}

// die ends the member. The next one is given what the log does not have told: what was not done,
// and some of what was.
func (l *life) die() {
	l.end()
	l.mu.Lock()
	for _, ref := range slices.SortedFunc(maps.Keys(l.done), journal.Ref.Compare) {
		if l.chance.IntN(5) == 0 {
			delete(l.done, ref)
		}
	}
	told := maps.Clone(l.done)
	l.mu.Unlock()
	l.run()
	for _, d := range l.owed[:l.given] {
		if _, done := told[d.Entry]; !done && !l.box.Add(d) {
			l.t.Fatal("no room")
		}
	}
}

// check compares what there is with what was owed.
func (l *life) check() {
	if l.box.Waiting() != 0 || len(l.done) != len(l.owed) {
		l.t.Errorf("%d wait, %d are done of %d: %+v", l.box.Waiting(), len(l.done), len(l.owed), l.box.Stats())
	}
	var durable, inboxes, dead []string
	for _, d := range l.owed {
		if d.Ask == nil {
			continue
		}
		switch to := d.Ask.Ask.Reply; {
		case strings.HasPrefix(to, "_INBOX"):
			inboxes = append(inboxes, to)
		case to != "":
			durable = append(durable, d.Ask.Ask.Token)
		}
		if d.Ask.Why != "" {
			dead = append(dead, d.Ask.Ask.Token+"/expired")
		}
	}
	l.same("events", l.events.ids(), slices.Collect(maps.Keys(l.runs)))
	l.same("durable replies", l.replies.ids(), durable)
	l.same("dead letters", l.dead.ids(), dead)
	l.same("inbox replies", keys(l.inboxes.stored), inboxes)
	runs, asks := l.lines()
	l.same("run lines", runs, slices.Collect(maps.Keys(l.runs)))
	l.same("ask lines", asks, slices.Collect(maps.Keys(l.asks)))
	l.alike()
}

func keys(m map[string]time.Duration) (all []string) {
	for k := range m {
		all = append(all, strings.TrimSpace(k))
	}
	return all
}

// same compares two sets.
func (l *life) same(what string, got, want []string) {
	l.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if diff := gocmp.Diff(slices.Compact(want), slices.Compact(got)); diff != "" || len(want) == 0 {
		l.t.Errorf("%s: -want +got\n%s", what, diff)
	}
}

// lines are the runs and the asks that the query log has.
func (l *life) lines() (runs, asks []string) {
	msgs := l.log.has()
	for _, m := range msgs {
		if m.Subject == l.names.LogRun() {
			for _, r := range must(querylog.DecodeRuns(m.Data))(l.t) {
				runs = append(runs, r.ID)
			}
			continue
		}
		for _, a := range must(querylog.DecodeAsks(m.Data))(l.t) {
			asks = append(asks, a.Token)
		}
	}
	return runs, asks
}

// alike compares all replies of one run but for what is the asker's own, and that each asker has
// its own run's.
func (l *life) alike() {
	said, want := map[string]messages.Result{}, map[string]string{}
	for _, d := range l.owed {
		if d.Ask != nil && d.Ask.Answer != nil {
			want["id-"+strings.TrimPrefix(d.Ask.Ask.Token, "tok-")] = d.Ask.Answer.Run
		}
	}
	inboxes := l.inboxes.has()
	replies := l.replies.has()
	for _, m := range slices.Concat(inboxes, replies) {
		r, _, err := messages.DecodeResult(m.Data, "")
		if err != nil {
			l.t.Fatal(err)
		}
		if r.Run != want[r.ID] {
			l.t.Errorf("%s is given %s, want %s", r.ID, r.Run, want[r.ID])
		}
		r.ID, r.Source, r.AnsweredAtMs, r.RetryAfterMs, r.Meta = "", "", 0, 0, nil
		key := cmp.Or(r.Run, r.Code)
		if first, known := said[key]; known && !gocmp.Equal(first, r) {
			l.t.Errorf("%s says %+v and %+v", key, first, r)
		}
		said[key] = r
	}
	if len(said) < 10 {
		l.t.Errorf("only %d runs were replied", len(said))
	}
}
