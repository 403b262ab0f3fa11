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

// wantOne wants one line with all of these in it.
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

// newGate makes a watching gate of a process of this name.
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
	if after, halted := g.Halted(t.Context(), id); after != want || halted != (want > 0) {
		t.Errorf("halted %v for %v, want %v", halted, after, want)
	}
}

func fail(t *testing.T, g *partner.Gate, id string) {
	t.Helper()
	for i := range 5 {
		g.Note(t.Context(), id, partner.Run{Key: fmt.Sprint(i), Code: "ILLEGAL_SIGN", Finding: partner.Fault})
	}
}

// What one process has seen halts the partner for all; one of them probes it, once a minute; a good answer resumes it.
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
		wantHalted(t, b, one, 0) // the probe
		wantHalted(t, a, one, time.Minute)
		wantHalted(t, b, one, time.Minute)
		time.Sleep(90 * time.Second)
		wantHalted(t, a, one, 0)
		a.Note(t.Context(), one, partner.Run{Key: "k", Finding: partner.Good})
		wantHalted(t, a, one, 0)
		wantHalted(t, b, one, 0)
		j.wantOne(t, "level=INFO", `msg="partner is asked for again"`, "partner="+one)
		if h, err := partner.ReadHalt(t.Context(), &m, one); err != nil || h != (partner.Halt{}) {
			t.Errorf("the record says %+v, %v", h, err)
		}
	})
}

// Many who ask at the time of the probe: one makes it.
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
				if _, halted := gates[i%3].Halted(t.Context(), one); !halted {
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

// An operator's word holds at once, has no probe, and no answer ends it; it is written over what a worker has written.
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
		racing := &between{Memory: &m, meanwhile: func() { // a worker writes while the operator's hand is on it
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

// between lets something happen between a read and the write that follows it, once.
type between struct {
	*record.Memory
	meanwhile func()
}

func (b *between) Get(ctx context.Context, name string) (record.Record, error) {
	r, err := b.Memory.Get(ctx, name)
	if do := b.meanwhile; do != nil {
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

func (o *overtaken) Put(ctx context.Context, name string, data []byte, t record.Terms) (uint64, error) {
	seq, err := o.Memory.Put(ctx, name, data, t)
	if do := o.meanwhile; do != nil {
		o.meanwhile = nil
		do()
	}
	return seq, err
}

// The acknowledgement of an own write may come after the change that followed it: the newer one holds.
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

// faulty are records that are lost on the way: changes are not seen, or nothing can be written or read.
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

func (f *faulty) Put(ctx context.Context, name string, data []byte, t record.Terms) (uint64, error) {
	if f.unwritable != nil {
		return 0, f.unwritable
	}
	return f.Memory.Put(ctx, name, data, t)
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

// Without its records a gate halts nobody and probes nobody; what cannot be read is logged and changes nothing.
func TestGateWithoutRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		f := &faulty{Memory: &m}
		g := newGate(t, f, "a", &j, nil)
		f.unwritable = record.ErrAway
		fail(t, g, one)
		wantHalted(t, g, one, 0)
		j.wantOne(t, "level=WARN", `msg="halt not written"`, "halted=true", "nobody keeps it")
		f.unwritable = nil
		g.Note(t.Context(), one, partner.Run{Key: "k", Code: "ILLEGAL_SIGN", Finding: partner.Fault})
		wantHalted(t, g, one, time.Minute)
		f.unwritable = record.ErrAway
		time.Sleep(time.Minute)
		wantHalted(t, g, one, time.Second) // it may be probed, and nobody can say so
		seq := func() uint64 {
			r, err := m.Get(t.Context(), one+".halt")
			if err != nil {
				t.Fatal(err)
			}
			return r.Seq
		}
		if _, err := m.Put(t.Context(), one+".halt", []byte("garbage"), record.Terms{Expect: seq()}); err != nil {
			t.Fatal(err)
		}
		wantHalted(t, g, one, time.Second)
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

// Two processes keep to a partner's concurrency together, and the other partner has none.
func TestGatesShareTheirConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		limits := map[string]partner.Limits{one: {Concurrency: 2}}
		a, b := newGate(t, &m, "a", &j, limits), newGate(t, &m, "b", &j, limits)
		var leaves []func()
		for _, g := range []*partner.Gate{a, b} {
			leave, after, err := g.Enter(t.Context(), one)
			if err != nil || after != 0 {
				t.Fatal(after, err)
			}
			leaves = append(leaves, leave)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := b.Enter(short, one); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third call: %v", err)
		}
		if leave, after, err := b.Enter(t.Context(), two); err != nil || after != 0 || leave == nil {
			t.Errorf("the other partner: %v, %v", after, err)
		}
		leaves[1]()
		leave, after, err := b.Enter(t.Context(), one)
		if err != nil || after != 0 {
			t.Errorf("after one has left: %v, %v", after, err)
		}
		leave()
		leaves[0]()
	})
}

// A call that would wait for the rate too long is refused with how long, and takes no place among the calls that are under way.
func TestGateKeepsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m record.Memory
		var j journal
		g := newGate(t, &m, "a", &j, map[string]partner.Limits{one: {Rate: 2, Concurrency: 30}})
		begun := time.Now()
		var leaves []func()
		for range 3 {
			leave, after, err := g.Enter(t.Context(), one)
			if err != nil || after != 0 {
				t.Fatal(after, err)
			}
			leaves = append(leaves, leave)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("three calls began within %v, want 1 s", took)
		}
		if after, err := g.Pace(t.Context(), one, 400*time.Millisecond); err != nil || after <= 400*time.Millisecond || after > 500*time.Millisecond {
			t.Errorf("a further call within 400 ms: not for %v, %v", after, err)
		}
		if after, err := g.Pace(t.Context(), one, time.Second); err != nil || after != 0 {
			t.Errorf("a further call within a second: not for %v, %v", after, err)
		}
		if after, err := g.Pace(t.Context(), two, 0); err != nil || after != 0 {
			t.Errorf("without a rate: not for %v, %v", after, err)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for range 27 { // the places that are left: 20 turns in 10 s, then they are refused
			all.Go(func() {
				_, after, err := g.Enter(t.Context(), one)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if after > 0 {
					refused++
				}
			})
		}
		all.Wait()
		if refused < 6 || refused > 8 {
			t.Errorf("%d of 27 were refused, want about 7", refused)
		}
		for range refused { // those who were refused have given their places back
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, after, err := g.Enter(ctx, one); err != nil || after != 0 {
				t.Errorf("not for %v, %v", after, err)
			}
			cancel()
		}
		for _, leave := range leaves {
			leave()
		}
	})
}
