// Everything goes wrong at once, by seed: what is reported as stored is in the log once, and all
// members read the same.

package journal_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/journal/journaltest"
)

var seedCount = flag.Int("seeds", 40, "how many seeds the simulation runs")

// world is a fleet of members on one log.
type world struct {
	t    *testing.T
	seed uint64
	rand *rand.Rand
	log  *journaltest.Log

	mu      sync.Mutex
	fate    map[string]string // of each entry: its place, or why it has none
	members []*member

	batches, entries int // that the log holds at the end
}

type member struct {
	id   journal.Member
	conn *journaltest.Conn // nil on real servers
	w    *journal.Writer
	r    *journal.Reader
	read []string
	end  error // of its writer
	sent map[uint64]time.Time
}

func TestSimulation(t *testing.T) {
	if *seedCount < 1 {
		t.Fatal("no seeds, nothing is simulated")
	}
	var batches, entries int
	for seed := range uint64(*seedCount) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 7)), log: journaltest.New(seed), fate: map[string]string{}}
				w.run()
				batches, entries = batches+w.batches, entries+w.entries
			})
		})
	}
	if n := *seedCount; batches < 40*n || entries < 150*n {
		t.Errorf("%d batches and %d entries in %d seeds: hardly anything was tried", batches, entries, n)
	}
}

func (w *world) faults() journaltest.Faults {
	chance := func(most float64) float64 { return w.rand.Float64() * most }
	return journaltest.Faults{Delay: time.Duration(w.rand.IntN(300)) * time.Millisecond, LoseRequest: chance(.1), LoseReply: chance(.1), Refuse: chance(.1),
		LoseFollowed: chance(.3), Late: chance(.3), LateBy: 3 * time.Second, Twice: chance(.1), Behind: w.rand.IntN(8)}
}

func (w *world) run() {
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	for i := range 4 {
		m := w.join(i, nil)
		wg.Go(func() { m.end = m.w.Run(ctx) })
		wg.Go(func() {
			if err := m.r.Run(ctx); !errors.Is(err, context.Canceled) {
				w.t.Errorf("reader %s: %v", m.id, err)
			}
		})
	}
	for n := range 300 {
		m := w.members[w.rand.IntN(len(w.members))]
		w.append(m, fmt.Sprintf("%s.%d", m.id, n))
		w.disturb(m)
		time.Sleep(time.Duration(w.rand.IntN(200)) * time.Millisecond)
	}
	w.log.SetLeader(true)
	for _, m := range w.members {
		m.conn.Cut(false)
		m.conn.SetFaults(journaltest.Faults{})
	}
	time.Sleep(20 * time.Second)
	w.log.OnStored(nil)
	cancel()
	wg.Wait()
	w.check(w.log.Messages())
}

// join makes a member on a log; nil: on one in memory, where things go wrong.
func (w *world) join(i int, log journal.Log) *member {
	m := &member{id: journal.Member(fmt.Sprint("m", i)), sent: map[uint64]time.Time{}}
	if log == nil {
		m.conn = w.log.Connect(w.faults())
		log = m.conn
	}
	var err error
	m.r, err = journal.NewReader(journal.ReaderOptions{Source: log, Apply: func(b *journal.Batch) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		m.read = append(m.read, fmt.Sprintf("%d %s %d %d", b.Position, b.Member, b.Number, len(b.Entries)))
		return nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	m.w, err = journal.NewWriter(journal.WriterOptions{Log: log, Member: m.id,
		Decide: func(*journal.Draft) uint64 { return m.r.Position() },
		Stored: func(b journal.Written) { w.mu.Lock(); defer w.mu.Unlock(); m.sent[b.Position] = b.FirstSent }})
	if err != nil {
		w.t.Fatal(err)
	}
	m.w.SetMembers(4)
	w.members = append(w.members, m)
	return m
}

func (w *world) append(m *member, token string) {
	err := m.w.Append(&journal.Told{Tokens: []string{token}}, func(r journal.Ref, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if was, twice := w.fate[token]; twice {
			w.t.Errorf("%s ends twice: %s, %v %v", token, was, r, err)
		}
		switch {
		case err == nil:
			w.fate[token] = r.String()
		case errors.Is(err, journal.ErrStored):
			w.fate[token] = "stored somewhere"
		case errors.Is(err, journal.ErrUnknown):
			w.fate[token] = "unknown"
		default:
			w.fate[token] = "not stored"
		}
	})
	if err != nil && !errors.Is(err, journal.ErrEnded) {
		w.t.Error(err)
	}
}

// disturb changes what goes wrong, now and then.
func (w *world) disturb(m *member) {
	switch w.rand.IntN(30) {
	case 0:
		w.log.SetLeader(w.rand.IntN(2) == 0)
	case 1:
		m.conn.Cut(w.rand.IntN(2) == 0)
	case 2:
		m.conn.SetFaults(w.faults())
	case 3:
		_ = m.w.Beat(nil)
	case 4:
		if w.rand.IntN(3) > 0 {
			return
		}
		w.seal(m.id)
	}
}

// seal lets another seal a member, by what the log holds of it now.
func (w *world) seal(of journal.Member) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
	defer cancel()
	last, err := w.log.Connect(journaltest.Faults{}).Last(ctx, of)
	if err != nil || last.Position == 0 {
		return
	}
	b, err := journal.Decode(last)
	if err != nil {
		w.t.Error(err)
		return
	}
	if b.Seal() == nil {
		time.Sleep(time.Duration(w.rand.IntN(100)) * time.Millisecond) // it may write meanwhile
		_, _ = journal.SealOther(ctx, w.log.Connect(w.faults()), journal.Sealing{Of: of, By: "other", Number: b.Number, Position: last.Position, Why: "by seed"})
	}
}

// check compares what was said of entries with what the log holds.
func (w *world) check(messages []journal.Message) {
	type found struct {
		at     string
		number int
	}
	tokens := map[string]found{}
	numbers, sealed := map[journal.Member]uint64{}, map[journal.Member]bool{}
	var want []string
	for _, msg := range messages {
		b, err := journal.Decode(msg)
		if err != nil {
			w.t.Fatal(err)
		}
		numbers[b.Member]++
		if b.Number != numbers[b.Member] || sealed[b.Member] || b.Read >= b.Position {
			w.t.Errorf("position %d: batch %d of %s, which read %d, where %d was due; sealed before: %v", b.Position, b.Number, b.Member, b.Read, numbers[b.Member], sealed[b.Member])
		}
		sealed[b.Member] = b.Seal() != nil
		for i, e := range b.Entries {
			if told, ok := e.(*journal.Told); ok {
				f := tokens[told.Tokens[0]]
				tokens[told.Tokens[0]] = found{b.Ref(i).String(), f.number + 1}
			}
		}
		want = append(want, fmt.Sprintf("%d %s %d %d", b.Position, b.Member, b.Number, len(b.Entries)))
	}
	stored := 0
	for token, fate := range w.fate {
		f := tokens[token]
		ok := f.number == 1 && f.at == fate || f.number == 0 && fate == "not stored" || f.number <= 1 && fate == "unknown" || f.number == 1 && fate == "stored somewhere"
		if !ok {
			w.t.Errorf("%s: said to be %s, in the log %d times, at %s", token, fate, f.number, f.at)
		}
		stored += f.number
	}
	for _, m := range w.members {
		if sealed[m.id] != errors.Is(m.end, journal.ErrSealed) || !sealed[m.id] && !errors.Is(m.end, context.Canceled) {
			w.t.Errorf("%s sealed: %v; its writer ended with %v", m.id, sealed[m.id], m.end)
		}
		if fmt.Sprint(m.read) != fmt.Sprint(want) {
			w.t.Errorf("%s read %d batches, the log has %d", m.id, len(m.read), len(want))
		}
		w.checkLease(m, messages)
	}
	w.batches, w.entries = len(want), stored
}

// checkLease: a batch counts from before it was stored.
func (w *world) checkLease(m *member, messages []journal.Message) {
	for _, msg := range messages {
		if first, ok := m.sent[msg.Position]; ok && first.After(msg.Stored) {
			w.t.Errorf("position %d first sent at %v, after it was stored at %v", msg.Position, first, msg.Stored)
		}
	}
}
