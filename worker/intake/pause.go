// Pause: operators may pause the intake, and each worker follows that.

package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"protocolq/worker/record"
)

// Pause is the record of the fleet's intake: whether it is paused, since when, by whom and why. In
// a pause, journalled asks go on, and remembered answers are given.
type Pause struct {
	Paused  bool   `json:"paused"`
	SinceMs int64  `json:"since_ms,omitempty"` // unix ms
	By      string `json:"by,omitempty"`       // an operator
	Reason  string `json:"reason,omitempty"`
}

// PauseRecord is the name of the record, the last token of its subject.
const PauseRecord = "intake"

// TakesEffect is the time after which all workers that can read a written Pause follow it. It is
// not republished: each worker reads it once a second.
const TakesEffect = 2 * time.Second

const (
	lookEvery = time.Second
	// pausedAfter is when an asker should ask again in a pause, whose length is not known.
	pausedAfter = 5 * time.Second
)

// ReadPause reads the record; it is zero if there is none.
func ReadPause(ctx context.Context, s record.Store) (Pause, error) {
	r, err := s.Get(ctx, PauseRecord)
	if err != nil {
		return Pause{}, err
	}
	return decodePause(r.Data)
}

// WritePause writes the record: the last change by an operator counts.
func WritePause(ctx context.Context, s record.Store, p Pause) error {
	return record.Change(ctx, s, PauseRecord, func([]byte) ([]byte, error) { return json.Marshal(p) })
}

func decodePause(data []byte) (p Pause, err error) {
	if err := record.Decode(data, &p); err != nil {
		return Pause{}, fmt.Errorf("read the intake record: %w", err)
	}
	return p, nil
}

// Records are those of the fleet, see PauseRecord: a [record.Stream].
type Records interface {
	Get(ctx context.Context, name string) (record.Record, error)
}

// Switch is what a worker knows of the Pause. A record that cannot be read changes nothing. Until
// it has been read, the intake is open.
type Switch struct {
	records Records
	log     *slog.Logger
	alarms  alarms

	mu  sync.Mutex // guards now
	now known
}

// known is the Pause as last read.
type known struct {
	Pause
	seq   uint64
	older bool // the last read gave an older record, which is not used yet
}

// NewSwitch makes a Switch of the records. log is discarded when nil.
func NewSwitch(records Records, log *slog.Logger) *Switch {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Switch{records: records, log: log}
}

// Run reads the record every second until ctx ends.
func (s *Switch) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.Look(ctx)
		}
	}
}

// Look reads the record, within a second. If it cannot be read, that is logged every 30 s.
func (s *Switch) Look(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	r, err := s.records.Get(within, PauseRecord)
	var p Pause
	if err == nil {
		p, err = decodePause(r.Data)
	}
	switch {
	case err == nil:
		s.learn(p, r.Seq)
	case ctx.Err() == nil:
		if n, due := s.alarms.again(PauseRecord, time.Now()); due {
			level, hint := slog.LevelWarn, ""
			if errors.Is(err, record.ErrUnreadable) || errors.Is(err, record.ErrNewer) {
				level, hint = slog.LevelError, "protocolq intake pause or resume writes it anew; workers may not"
			}
			s.log.Log(ctx, level, "intake record not read: it stays as it was", "times", n, "paused", s.pause().Paused,
				"err", err, "hint", hint)
		}
	}
}

// learn takes in what was read, and logs changes.
func (s *Switch) learn(p Pause, seq uint64) {
	s.mu.Lock()
	before := s.now
	s.now = before.learn(p, seq)
	now := s.now.Pause
	s.mu.Unlock()
	switch {
	case now.Paused && !before.Paused:
		s.log.Warn("intake paused", "by", now.By, "reason", now.Reason)
	case !now.Paused && before.Paused:
		s.log.Info("intake resumed", "by", now.By)
	}
}

// learn is what is known after a record was read. An older record is used only when it is read
// twice in a row: a replica that was behind has caught up by then, but a restored or new stream
// stays older.
func (k known) learn(p Pause, seq uint64) known {
	if seq < k.seq && !k.older {
		k.older = true
		return k
	}
	return known{Pause: p, seq: seq}
}

func (s *Switch) pause() Pause {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.Pause
}

// Paused reports whether the intake is paused, and after how long an asker should ask again.
func (s *Switch) Paused() (after time.Duration, paused bool) {
	if !s.pause().Paused {
		return 0, false
	}
	return pausedAfter, true
}
