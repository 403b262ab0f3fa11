//go:build unix

// A recorder in the house, and the query log as a witness (W4): what it wrote into its database.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

// queryLog is what the database holds: the calls of each run that a record names, and every ask.
type queryLog struct {
	Runs map[string][]database.Call
	Asks []database.Ask
}

// recording is the recorder of one house.
type recording struct {
	path, key string
	running   *process
	made      int
}

// recorded lets a scenario's workers write the query log and a recorder take it in, which is killed halfway and started again.
func recorded(s scenario) scenario {
	r := &recording{}
	prepare, harm, witness, tidy := s.prepare, s.harm, s.witness, s.tidy
	s.prepare = func(ctx context.Context, h *house) error {
		r.path, r.key = filepath.Join(h.dir, "log.db"), filepath.Join(h.dir, "log-hmac.key")
		h.Worker = append([]string{"--log-hmac-key-file", r.key, "--log-level", "debug"}, h.Worker...)
		if err := os.WriteFile(r.key, []byte(strings.Repeat("5a", 32)+"\n"), 0o600); err != nil || prepare == nil {
			return err
		}
		return prepare(ctx, h)
	}
	s.harm = func(ctx context.Context, h *house, long time.Duration) error {
		if err := r.start(ctx, h); err != nil {
			return err
		}
		again := make(chan error, 1)
		go func() { again <- r.dieOnce(ctx, h, long/2) }()
		err := harm(ctx, h, long)
		return errors.Join(err, <-again)
	}
	s.witness = func(ctx context.Context, h *house, t *testimony) error {
		err := r.read(ctx, h, t)
		if err == nil && witness != nil {
			err = witness(ctx, h, t)
		}
		return err
	}
	s.tidy = func(h *house) {
		if r.running != nil {
			r.running.kill()
		}
		if tidy != nil {
			tidy(h)
		}
	}
	return s
}

func (r *recording) start(ctx context.Context, h *house) (err error) {
	r.made++
	r.running, err = start(ctx, h.dir, fmt.Sprintf("recorder-%d", r.made), nil, h.prog.protocolq,
		"recorder", "--nats", h.cluster.urls(), "--database", "sqlite://"+r.path, "--log-level", "debug", "--log-format", "json")
	return err
}

// dieOnce kills the recorder in the middle of things.
func (r *recording) dieOnce(ctx context.Context, h *house, after time.Duration) error {
	if err := pause(ctx, after); err != nil {
		return err
	}
	h.did("recorder -9", r.running.name)
	r.running.kill()
	return r.start(ctx, h)
}

// read waits until the recorder has caught up, and reads what it wrote.
func (r *recording) read(ctx context.Context, h *house, t *testimony) error {
	err := eventually(ctx, settle, "the recorder has caught up", func() bool {
		n, err := h.seen.count(ctx, messages.Log)
		return err == nil && n == 0
	})
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, database.Options{URL: "sqlite://" + r.path, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("open the query log: %w", err)
	}
	defer db.Close()
	t.Log = &queryLog{Runs: map[string][]database.Call{}}
	for after := (database.Cursor{}); ; {
		page, err := db.List(ctx, database.Filter{}, after, database.MaxPage)
		if err != nil {
			return err
		}
		t.Log.Asks = append(t.Log.Asks, page.Asks...)
		if after = page.Next; after == (database.Cursor{}) {
			break
		}
	}
	for _, w := range t.Written {
		if _, known := t.Log.Runs[w.Run]; known || w.Run == "" {
			continue
		}
		stories, err := db.Show(ctx, w.Run, nil)
		if err != nil && !errors.Is(err, database.ErrUnknownID) {
			return err
		}
		for _, s := range stories {
			if s.Run != nil && s.Run.ID == w.Run {
				t.Log.Runs[w.Run] = s.Run.Calls
			}
		}
	}
	return nil
}
