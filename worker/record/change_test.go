// How often a change is tried and how long it rests, in exact times, on a store that follows a
// script.

package record_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/record"
)

// scripted is a store whose Puts fail by a list, one after the other; then, or where there is no
// error, they succeed.
type scripted struct {
	record.Memory
	read   error   // of every Get
	faults []error // of the Puts to come
	puts   int
}

func (s *scripted) Get(ctx context.Context, name string) (record.Record, error) {
	if s.read != nil {
		return record.Record{}, s.read
	}
	return s.Memory.Get(ctx, name)
}

func (s *scripted) Put(ctx context.Context, name string, data []byte, expect uint64) (uint64, error) {
	s.puts++
	if len(s.faults) > 0 {
		err := s.faults[0]
		if s.faults = s.faults[1:]; err != nil {
			return 0, err
		}
	}
	return s.Memory.Put(ctx, name, data, expect)
}

func repeated(err error, n int) (all []error) {
	for range n {
		all = append(all, err)
	}
	return all
}

func TestChange(t *testing.T) {
	open := errors.New("no acknowledgement")
	tooLong := &jetstream.APIError{Code: 400, ErrorCode: 10054, Description: "message size exceeds maximum allowed"}
	for name, c := range map[string]struct {
		read   error
		faults []error
		within time.Duration
		want   error
		puts   int
		least  time.Duration
		most   time.Duration
	}{
		"at once":               {puts: 1},
		"another came between":  {faults: repeated(record.ErrConflict, 2), puts: 3, most: 15 * time.Millisecond},
		"others without end":    {faults: repeated(record.ErrConflict, 100), want: record.ErrConflict, puts: 8, most: 315 * time.Millisecond},
		"nobody keeps it":       {faults: repeated(record.ErrAway, 2), puts: 3, least: time.Second, most: time.Second},
		"nobody without end":    {faults: repeated(record.ErrAway, 100), want: record.ErrAway, puts: 8, least: 3500 * time.Millisecond, most: 3500 * time.Millisecond},
		"an open write":         {faults: repeated(open, 1), puts: 2, least: 500 * time.Millisecond, most: 500 * time.Millisecond},
		"no room":               {faults: repeated(record.ErrFull, 1), want: record.ErrFull, puts: 1},
		"too long for ever":     {faults: repeated(fmt.Errorf("put: %w", tooLong), 100), want: tooLong, puts: 1},
		"not readable":          {read: open, want: open},
		"its time ends":         {faults: repeated(record.ErrAway, 100), within: 1200 * time.Millisecond, want: context.DeadlineExceeded, puts: 3, least: 1200 * time.Millisecond, most: 1200 * time.Millisecond},
		"its time ends, of old": {faults: repeated(record.ErrAway, 100), within: 1200 * time.Millisecond, want: record.ErrAway, puts: 3, least: 1200 * time.Millisecond, most: 1200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{read: c.read, faults: c.faults}
				ctx := t.Context()
				if c.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.within)
					defer cancel()
				}
				begun := time.Now()
				err := record.Change(ctx, s, "a", func([]byte) ([]byte, error) { return []byte("x"), nil })
				took := time.Since(begun)
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || s.puts != c.puts {
					t.Errorf("%v after %d writes, want %v after %d", err, s.puts, c.want, c.puts)
				}
				if took < c.least || took > c.most {
					t.Errorf("took %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}

// A write without an end of its own ends after 5 s.
func TestPutEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := record.NewStream(record.Options{To: silent{}, Name: "R", Subject: "r.", Changed: "changed.r."})
		begun := time.Now()
		if _, err := s.Put(t.Context(), "a", nil, 0); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
