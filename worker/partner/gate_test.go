// Gates of several processes over shared records in memory, on a clock of the test's own.

package partner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/partner"
	"protocolq/worker/record"
)

const one, two = "2088000000000001", "2088000000000002"

// journal collects what gates log.
type journal struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// wantOne wants exactly one line with all of these in it.
func (j *journal) wantOne(t *testing.T, parts ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for line := range strings.Lines(j.buf.String()) {
		has := true
		for _, p := range parts {
			has = has && strings.Contains(line, p)
		}
		if has {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d lines with %q in\n%s", n, parts, j.buf.String())
	}
}

// newGate makes a watching gate for a process of this name.
func newGate(t *testing.T, records partner.Records, owner string, j *journal, limits map[string]partner.Limits) *partner.Gate {
	t.Helper()
	g := partner.New(partner.Options{Partners: []string{one, two}, Limits: limits, Records: records, Owner: owner, Logger: slog.New(slog.NewTextHandler(j, nil))})
	stop, err := g.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return g
}

func wantHalted(t *testing.T, g *partner.Gate, id string, want time.Duration) {
	t.Helper()
	if after := g.After(id); after != want {
		t.Errorf("halted for %v, want %v", after, want)
	}
}

// probe makes the probe of a halted partner, without a finding.
func probe(t *testing.T, g *partner.Gate, id string) {
	t.Helper()
	turn, err := g.Turn(t.Context(), id)
	if err != nil || turn.Leave == nil {
		t.Fatalf("no probe: %+v, %v", turn, err)
	}
	turn.Leave()
}

func fail(t *testing.T, g *partner.Gate, id string) {
	t.Helper()
	for i := range 5 {
		g.Note(t.Context(), id, partner.Run{Key: fmt.Sprint(i), Code: "ILLEGAL_SIGN", Finding: partner.Fault})
	}
}

// What one process has seen halts the partner for all. One of them probes it, once a minute, and a
// good answer resumes it.
func TestGatesHaltTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		a, b := newGate(t, &m, "a", &j, nil), newGate(t, &m, "b", &j, nil)
		wantHalted(t, a, one, 0)
		fail(t, a, one)
		wantHalted(t, a, one, time.Minute)
		wantHalted(t, b, one, time.Minute)
		wantHalted(t, b, two, 0)
		wantHalted(t, b, "of another fleet", 0)
		late := newGate(t, &m, "c", &j, nil)
		wantHalted(t, late, one, time.Minute)
		j.wantOne(t, "level=ERROR", `msg="partner halted"`, "partner="+one, "code=ILLEGAL_SIGN", "hint=")
		h, err := partner.ReadHalt(t.Context(), &m, one)
		if err != nil || h.By != "a" || h.Code != "ILLEGAL_SIGN" || h.Reason == "" || h.SinceMs != time.Now().UnixMilli() {
			t.Errorf("the record says %+v, %v", h, err)
		}

		time.Sleep(time.Minute)
		probe(t, b, one)
		wantHalted(t, a, one, time.Minute)
		wantHalted(t, b, one, time.Minute)
		time.Sleep(90 * time.Second)
		probe(t, a, one)
		a.Note(t.Context(), one, partner.Run{Key: "k", Finding: partner.Good})
		wantHalted(t, a, one, 0)
		wantHalted(t, b, one, 0)
		j.wantOne(t, "level=INFO", `msg="partner is asked for again"`, "partner="+one)
		if h, err := partner.ReadHalt(t.Context(), &m, one); err != nil || h.Halted || h.By != "a" || h.SinceMs != time.Now().UnixMilli() {
			t.Errorf("the record says %+v, %v", h, err)
		}
	})
}

// Of many calls at the time of the probe, one is the probe.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		gates := []*partner.Gate{newGate(t, &m, "a", &j, nil), newGate(t, &m, "b", &j, nil), newGate(t, &m, "c", &j, nil)}
		fail(t, gates[0], one)
		time.Sleep(time.Minute)
		var mu sync.Mutex
		probes := 0
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				g := gates[i%3]
				turn, err := g.Turn(t.Context(), one)
				if err != nil {
					t.Error(err)
				}
				if turn.Leave != nil {
					g.Note(t.Context(), one, partner.Run{Key: "k", Code: "ILLEGAL_SIGN", Finding: partner.Fault})
					turn.Leave()
					mu.Lock()
					defer mu.Unlock()
					probes++
				}
			})
		}
		all.Wait()
		if probes != 1 {
			t.Errorf("%d probes", probes)
		}
	})
}

// An operator's halt holds at once, has no probe, and no answer ends it. It overwrites a worker's
// halt.
func TestOperatorHasTheLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &m, "a", &j, nil)
		fail(t, g, one)
		if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{Halted: true, By: partner.ByOperator, Reason: "contract"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		wantHalted(t, g, one, time.Minute)
		g.Note(t.Context(), one, partner.Run{Key: "k", Finding: partner.Good})
		wantHalted(t, g, one, time.Minute)
		racing := &between{Memory: &m, name: one + ".halt", meanwhile: func() { // a worker writes at the same time
			if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{Halted: true, By: "a worker"}); err != nil {
				t.Error(err)
			}
		}}
		if err := partner.WriteHalt(t.Context(), racing, one, partner.Halt{}); err != nil {
			t.Error(err)
		}
		wantHalted(t, g, one, 0)
	})
}

// between lets something happen between a read of one record and what follows it, once.
type between struct {
	*record.Memory
	name      string
	meanwhile func()
}

func (b *between) Get(ctx context.Context, name string) (record.Record, error) {
	r, err := b.Memory.Get(ctx, name)
	if do := b.meanwhile; do != nil && name == b.name {
		b.meanwhile = nil
		do()
	}
	return r, err
}

// overtaken lets something happen after a write and before its acknowledgement, once.
type overtaken struct {
	*record.Memory
	meanwhile func()
}

func (o *overtaken) Put(ctx context.Context, name string, data []byte, expect uint64) (uint64, error) {
	seq, err := o.Memory.Put(ctx, name, data, expect)
	if do := o.meanwhile; do != nil {
		o.meanwhile = nil
		do()
	}
	return seq, err
}

// The acknowledgement of an own write may come after a later change: the newer one holds.
func TestOwnWriteIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &overtaken{&m, func() {
			if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{By: partner.ByOperator}); err != nil {
				t.Error(err)
			}
		}}, "a", &j, nil)
		fail(t, g, one)
		wantHalted(t, g, one, 0)
	})
}

// A halt that was read may be older than one that is seen before the response comes: the newer one
// holds.
func TestReadIsOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		racing := &between{Memory: &m}
		g := newGate(t, racing, "a", &j, nil)
		if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{Halted: true, By: partner.ByOperator}); err != nil {
			t.Fatal(err)
		}
		racing.name, racing.meanwhile = one+".halt", func() {
			if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{}); err != nil {
				t.Error(err)
			}
		}
		ctx, end := context.WithTimeout(t.Context(), 5*time.Second+time.Millisecond)
		defer end()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
		if racing.meanwhile != nil {
			t.Fatal("nothing was read")
		}
		wantHalted(t, g, one, 0)
	})
}

// faulty are records with losses: changes are not seen, or nothing can be written or read.
type faulty struct {
	*record.Memory
	deaf                 bool
	unwritable, unusable error
}

func (f *faulty) Watch(pattern string, changed func(record.Record, error)) (func(), error) {
	if f.unusable != nil {
		return nil, f.unusable
	}
	if f.deaf {
		return func() {}, nil
	}
	return f.Memory.Watch(pattern, changed)
}

func (f *faulty) Get(ctx context.Context, name string) (record.Record, error) {
	if f.unusable != nil {
		return record.Record{}, f.unusable
	}
	return f.Memory.Get(ctx, name)
}

func (f *faulty) Put(ctx context.Context, name string, data []byte, expect uint64) (uint64, error) {
	if f.unwritable != nil {
		return 0, f.unwritable
	}
	return f.Memory.Put(ctx, name, data, expect)
}

// A change that was missed is read within five seconds, while the gate runs.
func TestMissedChangesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &faulty{Memory: &m, deaf: true}, "a", &j, nil)
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- g.Run(ctx) }()
		if err := partner.WriteHalt(t.Context(), &m, one, partner.Halt{Halted: true, By: partner.ByOperator}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4999 * time.Millisecond)
		synctest.Wait()
		wantHalted(t, g, one, 0)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantHalted(t, g, one, time.Minute)
		j.wantOne(t, "level=WARN", `msg="partner halt changed"`, "halted=true", "by=operator")
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// wantUnwritable wants no turn for a partner that could be probed, because the probe cannot be
// written.
func wantUnwritable(t *testing.T, g *partner.Gate) {
	t.Helper()
	if turn, err := g.Turn(t.Context(), one); err != nil || turn.Leave != nil || turn.After != time.Second {
		t.Errorf("%+v, %v", turn, err)
	}
}

// Without its records a gate halts and probes no partner. Unreadable records are logged and change
// nothing.
func TestGateWithoutRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		f := &faulty{Memory: &m}
		g := newGate(t, f, "a", &j, nil)
		f.unwritable = record.ErrAway
		fail(t, g, one)
		wantHalted(t, g, one, 0)
		j.wantOne(t, "level=WARN", `msg="records of partners in trouble" what="halt not written"`, "halted=true", "nobody keeps it")
		f.unwritable = nil
		g.Note(t.Context(), one, partner.Run{Key: "k", Code: "ILLEGAL_SIGN", Finding: partner.Fault})
		wantHalted(t, g, one, time.Minute)
		f.unwritable = record.ErrAway
		time.Sleep(time.Minute)
		wantUnwritable(t, g)
		seq := func() uint64 {
			r, err := m.Get(t.Context(), one+".halt")
			if err != nil {
				t.Fatal(err)
			}
			return r.Seq
		}
		if _, err := m.Put(t.Context(), one+".halt", []byte("garbage"), seq()); err != nil {
			t.Fatal(err)
		}
		wantUnwritable(t, g)
		j.wantOne(t, "level=ERROR", `msg="halt record not understood"`, "partner="+one)
		if _, err := partner.ReadHalt(t.Context(), &m, one); err == nil {
			t.Error("garbage was read")
		}
		f.unusable = errors.New("gone")
		if _, err := partner.ReadHalt(t.Context(), f, one); !errors.Is(err, f.unusable) {
			t.Error(err)
		}
		if _, err := g.Watch(t.Context()); !errors.Is(err, f.unusable) {
			t.Error(err)
		}
	})
}
