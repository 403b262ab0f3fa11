// What a worker knows of the intake record, in exact times: pure, and on a store that a test plays.

package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/record"
)

func TestLearn(t *testing.T) {
	open, paused := Pause{}, Pause{Paused: true}
	type read struct {
		Pause
		seq uint64
	}
	for name, c := range map[string]struct {
		reads []read
		want  bool
	}{
		"nothing was read":               {nil, false},
		"there is none":                  {[]read{{open, 0}}, false},
		"paused":                         {[]read{{open, 0}, {paused, 7}}, true},
		"resumed":                        {[]read{{paused, 7}, {open, 9}}, false},
		"a replica is behind":            {[]read{{open, 7}, {paused, 9}, {open, 7}}, true},
		"a replica has nothing yet":      {[]read{{paused, 9}, {open, 0}}, true},
		"behind, caught up, behind":      {[]read{{paused, 9}, {open, 7}, {paused, 9}, {open, 7}}, true},
		"deleted":                        {[]read{{paused, 9}, {open, 0}, {open, 0}}, false},
		"an older copy was restored":     {[]read{{open, 9}, {paused, 7}, {paused, 7}}, true},
		"and written after that":         {[]read{{open, 9}, {paused, 7}, {paused, 7}, {open, 8}}, false},
		"one behind as it was restored":  {[]read{{paused, 9}, {open, 7}, {open, 5}}, false},
		"behind, and what it brings new": {[]read{{paused, 9}, {open, 7}, {open, 10}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var k known
			for _, r := range c.reads {
				k = k.learn(r.Pause, r.seq)
			}
			if k.Paused != c.want {
				t.Errorf("%+v", k)
			}
		})
	}
}

// faulty is a store whose Get can fail, or take for ever.
type faulty struct {
	record.Memory
	fails atomic.Pointer[error]
	hangs atomic.Bool
}

func (f *faulty) Get(ctx context.Context, name string) (record.Record, error) {
	if f.hangs.Load() {
		<-ctx.Done()
		return record.Record{}, ctx.Err()
	}
	if err := f.fails.Load(); err != nil {
		return record.Record{}, *err
	}
	return f.Memory.Get(ctx, name)
}

func put(t *testing.T, s record.Store, p Pause) {
	t.Helper()
	if err := WritePause(t.Context(), s, p); err != nil {
		t.Fatal(err)
	}
}

func TestSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var said bytes.Buffer
		records := &faulty{}
		s := NewSwitch(records, slog.New(slog.NewTextHandler(&said, nil)))
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		want := func(what string, wait time.Duration, paused bool) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if after, is := s.Paused(); is != paused || is != (after > 0) {
				t.Errorf("%s: paused %v, again after %v", what, is, after)
			}
		}
		want("at first", lookEvery/2, false)
		put(t, records, Pause{Paused: true, By: "ops", Reason: "contract"})
		want("paused", lookEvery, true)
		put(t, records, Pause{By: "ops"})
		want("resumed", lookEvery, false)
		put(t, records, Pause{Paused: true})
		records.hangs.Store(true)
		want("not read yet", 2*lookEvery, false)
		records.hangs.Store(false)
		want("read at last", TakesEffect, true)
		away := errors.New("away")
		records.fails.Store(&away)
		want("not readable for a minute", time.Minute, true)
		records.fails.Store(nil)
		if _, err := records.Put(t.Context(), PauseRecord, []byte(`{"paused":`), 3); err != nil {
			t.Fatal(err)
		}
		want("not understood", lookEvery, true)
		if n := strings.Count(said.String(), "intake record not read"); n != 3 { // at 0, 30 and 60 s
			t.Errorf("said %d times:\n%s", n, said.String())
		}
		for _, line := range []string{`level=WARN msg="intake paused" by=ops reason=contract`, `level=INFO msg="intake resumed" by=ops`} {
			if !strings.Contains(said.String(), line) {
				t.Errorf("not said: %s\n%s", line, said.String())
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestReadPause(t *testing.T) {
	s := &record.Memory{}
	if p, err := ReadPause(t.Context(), s); err != nil || p != (Pause{}) {
		t.Errorf("where there is none: %+v, %v", p, err)
	}
	want := Pause{Paused: true, SinceMs: 5, By: "ops", Reason: "contract"}
	put(t, s, want)
	if p, err := ReadPause(t.Context(), s); err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	r, err := s.Get(t.Context(), PauseRecord)
	if err != nil || !json.Valid(r.Data) || string(r.Data) != `{"paused":true,"since_ms":5,"by":"ops","reason":"contract"}` {
		t.Errorf("%s, %v", r.Data, err)
	}
	if _, err := s.Put(t.Context(), PauseRecord, []byte("no JSON"), r.Seq); err != nil {
		t.Fatal(err)
	}
	if p, err := ReadPause(t.Context(), s); err == nil {
		t.Errorf("%+v of what is no JSON", p)
	}
}
