// What every log promises to its readers.

package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/journal"
)

func readOnFromAnywhere(s *subject) {
	const n = 100
	first := s.many(n)
	s.next(first+n-1, 1)
	s.contiguous(s.next(first, 1), first)
	s.contiguous(s.next(first+40, 1), first+40)
	if got := s.next(first+n-1, 1); len(got) != 1 || string(got[0].Data) != "message 99" {
		s.t.Errorf("the last: %+v", got)
	}
	if got, err := s.log.Next(s.ctx(), first+n); err != nil || len(got) != 0 {
		s.t.Errorf("beyond the last: %v, %v", got, err)
	}
	seen := 0
	for at := first; at < first+n; {
		got := s.next(at, 1)
		s.contiguous(got, at)
		seen += len(got)
		at = got[len(got)-1].Position + 1
	}
	if seen != n {
		s.t.Errorf("%d messages one after the other, of %d", seen, n)
	}
}

func (s *subject) state() journal.State {
	s.t.Helper()
	var got journal.State
	s.eventually("the log's state", func() (ok bool) {
		var err error
		got, err = s.log.State(s.ctx())
		return err == nil
	})
	got.Time = time.Time{} // the server's clock goes on
	return got
}

func purgedIsPassedOver(s *subject) {
	if got := s.state(); got.First != 1 || got.Last != 0 || got.Bytes != 0 || got.MaxBytes != 0 || got.Fill() != 0 {
		s.t.Errorf("state of an empty log: %+v", got)
	}
	first := s.many(10)
	before := s.state()
	if before.First != first || before.Last != first+9 || before.Bytes < 90 {
		s.t.Errorf("state: %+v", before)
	}
	for _, nothing := range []uint64{0, 1, first} {
		if err := s.log.Purge(s.ctx(), nothing); err != nil || s.state() != before {
			s.t.Errorf("purged below %d: %+v, %v", nothing, s.state(), err)
		}
	}
	if err := s.log.Purge(s.ctx(), first+6); err != nil {
		s.t.Fatal(err)
	}
	s.eventually("the purge everywhere", func() bool {
		got, err := s.log.Next(s.ctx(), first)
		return err == nil && len(got) == 4 && got[0].Position == first+6
	})
	if got := s.state(); got.First != first+6 || got.Last != first+9 || got.Bytes >= before.Bytes {
		s.t.Errorf("state: %+v", got)
	}
	s.contiguous(s.next(first+8, 2), first+8)
	if err := s.log.Purge(s.ctx(), first+10); err != nil {
		s.t.Fatal(err)
	}
	if got := s.state(); got.First != first+10 || got.Last != first+9 || got.Bytes != 0 {
		s.t.Errorf("state of what is purged whole: %+v", got)
	}
	if next := s.append("m", 0, "message 10"); next != first+10 {
		s.t.Errorf("after the purge at %d", next)
	}
}

func getIsExact(s *subject) {
	first := s.many(10)
	s.next(first+9, 1)
	reads := map[string]func(context.Context, uint64) (journal.Message, error){"any": s.log.Get, "leader": s.log.AtLeader}
	for name, read := range reads {
		for i := range uint64(10) {
			var got journal.Message
			s.eventually(fmt.Sprint("message ", i, " of ", name), func() bool {
				var err error
				got, err = read(s.ctx(), first+i)
				return err == nil && got.Position > 0
			})
			if d := cmp.Diff(s.next(first+i, 1)[0], got); d != "" || string(got.Data) != fmt.Sprint("message ", i) {
				s.t.Errorf("%s: %s", name, d)
			}
		}
	}
	if err := s.log.Purge(s.ctx(), first+5); err != nil {
		s.t.Fatal(err)
	}
	for name, read := range reads {
		for _, none := range []uint64{first + 4, first + 10} {
			s.eventually(fmt.Sprint("nothing at ", none, " of ", name), func() bool {
				got, err := read(s.ctx(), none)
				return err == nil && got.Position == 0 && got.Data == nil
			})
		}
	}
}

func followedAsStored(s *subject) {
	var mu sync.Mutex
	var got []journal.Message
	stop, err := s.log.Follow(func(m journal.Message) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, m)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	count := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(got) >= n }
	}
	at := s.append("warm-up", 0, "x")
	s.eventually("the first message is followed", func() bool {
		if !count(1)() {
			at = s.append("warm-up", at, "x")
		}
		return count(1)()
	})
	s.eventually("all that was stored before", func() bool { mu.Lock(); defer mu.Unlock(); return got[len(got)-1].Position == at })
	mu.Lock()
	got = nil
	mu.Unlock()
	const n = 20
	first := s.many(n)
	s.eventually("every message", count(n))
	stop()
	if d := cmp.Diff(s.next(first, n), got); d != "" {
		s.t.Error(d)
	}
	s.append("m", first+n-1, "message after")
	if !count(n)() || count(n+1)() {
		s.t.Error("followed after stop")
	}
}

func fullIsSaid(s *subject) {
	s.room(8 << 10)
	at := uint64(0)
	for i := 0; ; i++ {
		next, err := s.putRight("m", at, strings.Repeat("x", 700))
		if err == nil && i < 100 {
			at = next
			continue
		}
		if i == 0 || !errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrRefused) || errors.Is(err, journal.ErrPermanent) {
			s.t.Fatalf("message %d: %v", i, err)
		}
		break
	}
	if m := s.last("m"); m.Position != at {
		s.t.Errorf("last at %d, want %d", m.Position, at)
	}
	if got := s.state(); got.MaxBytes != 8<<10 || got.Fill() < .8 || got.Fill() > 1 {
		s.t.Errorf("state of a full log: %+v, filled %.2f", got, got.Fill())
	}
	s.room(0)
	s.append("m", at, "with room again")
}

func madeAnewIsEmpty(s *subject) {
	at := s.append("m", s.append("m", 0, "one"), "two")
	s.remake()
	s.eventually("it is there again", func() bool {
		m, err := s.log.Last(s.ctx(), "m")
		return err == nil && m.Position == 0
	})
	s.refused("m", at)
	if again := s.append("m", 0, "anew"); again != 1 {
		s.t.Errorf("position %d in a new log", again)
	}
}

func cancelledIsNoVerdict(s *subject) {
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	_, err := s.log.Append(ctx, journal.Append{Member: "m", Data: []byte("x")})
	for _, verdict := range []error{nil, journal.ErrRefused, journal.ErrFull, journal.ErrPermanent} {
		if errors.Is(err, verdict) {
			s.t.Errorf("with an ended context: %v", err)
		}
	}
}

func wholeBatchesPass(s *subject) {
	data := bytes.Repeat([]byte{7}, journal.MaxBatch)
	at := uint64(0)
	for range 20 { // more than one answer holds
		at = s.append("m", at, string(data))
	}
	if m := s.last("m"); m.Position != at || !bytes.Equal(m.Data, data) {
		s.t.Errorf("last at %d has %d bytes", m.Position, len(m.Data))
	}
	s.next(at, 1)
	for n := at - 19; n <= at; {
		got := s.next(n, 1)
		for _, m := range got {
			if m.Position != n || !bytes.Equal(m.Data, data) {
				s.t.Fatalf("position %d with %d bytes, want %d", m.Position, len(m.Data), n)
			}
			n++
		}
	}
}

// Four members write as fast as they can, and each reads what all wrote, in one order and without a
// gap.
func everybodyReadsTheSame(s *subject) {
	const members, entries = 4, 60
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	logs := make([][]string, members)
	for i := range members {
		m := journal.Member(fmt.Sprint("m", i))
		r, err := journal.NewReader(journal.ReaderOptions{Source: s.log, Apply: func(b *journal.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			for j, e := range b.Entries {
				logs[i] = append(logs[i], fmt.Sprintf("%v %s %s", b.Ref(j), b.Member, e.(*journal.Told).Tokens[0]))
			}
			return nil
		}})
		if err != nil {
			s.t.Fatal(err)
		}
		w, err := journal.NewWriter(journal.WriterOptions{Log: s.log, Member: m, Decide: func(*journal.Draft) uint64 { return r.Position() }})
		if err != nil {
			s.t.Fatal(err)
		}
		w.SetMembers(members)
		for _, run := range []func(context.Context) error{w.Run, r.Run} {
			wg.Go(func() {
				if err := run(ctx); !errors.Is(err, context.Canceled) {
					s.t.Error(err)
				}
			})
		}
		for n := range entries {
			if err := w.Append(&journal.Told{Tokens: []string{fmt.Sprintf("%d", n)}}, nil); err != nil {
				s.t.Fatal(err)
			}
			if n%10 == 0 {
				<-time.After(time.Millisecond)
			}
		}
	}
	s.eventually("everybody has read everything", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range logs {
			if len(l) < members*entries {
				return false
			}
		}
		return true
	})
	cancel()
	wg.Wait()
	for i, l := range logs {
		if d := cmp.Diff(logs[0], l); d != "" || len(l) != members*entries {
			s.t.Errorf("member %d read %d entries: %s", i, len(l), d)
		}
	}
	next := map[string]int{}
	for _, line := range logs[0] {
		var at, m string
		var n int
		if _, err := fmt.Sscan(line, &at, &m, &n); err != nil || n != next[m] {
			s.t.Fatalf("%s: entry %d of %s was due, %v", line, next[m], m, err)
		}
		next[m]++
	}
}

func sealedOnce(s *subject) {
	data, err := journal.Encode(1, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	at := s.append("m", 0, string(data))
	var wg sync.WaitGroup
	for _, by := range []journal.Member{"a", "b", "c"} {
		wg.Go(func() {
			for begun := time.Now(); ; <-time.After(5 * time.Millisecond) {
				sealed, err := journal.SealOther(s.ctx(), s.log, journal.Sealing{Of: "m", By: by, Number: 1, Position: at, Read: at, Why: "silent"})
				if sealed && err == nil {
					return
				}
				if err == nil || time.Since(begun) > s.within { // while another's seal is in progress this is not known
					s.t.Errorf("sealed by %s: %v, %v", by, sealed, err)
					return
				}
			}
		})
	}
	wg.Wait()
	m := s.last("m")
	b, err := journal.Decode(m)
	if err != nil || b.Seal() == nil || b.Number != 2 || b.Read != at || m.Position != at+1 {
		s.t.Errorf("last at %d: %+v, %v", m.Position, b, err)
	}
	lives := s.append("lives", 0, string(data))
	second, err := journal.Encode(2, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.append("lives", lives, string(second))
	if sealed, err := journal.SealOther(s.ctx(), s.log, journal.Sealing{Of: "lives", By: "a", Number: 1, Position: lives, Why: "silent"}); sealed || err != nil {
		s.t.Errorf("one that wrote meanwhile: sealed %v, %v", sealed, err)
	}
}
