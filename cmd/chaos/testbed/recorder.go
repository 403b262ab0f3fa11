//go:build unix

// A recorder in the test bed, and the query log as evidence (W4): what the recorder wrote into its
// database.

package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

// recording is the recorder of one test bed.
type recording struct {
	path, key string
	Running   *Process
	made      int
}

// open makes the key with which the workers mask what they log, and sets it for them.
func (r *recording) open(h *Bed) error {
	r.path, r.key = filepath.Join(h.Dir, "log.db"), filepath.Join(h.Dir, "log-hmac.key")
	h.Worker = append([]string{"--log-hmac-key-file", r.key, "--log-level", "debug"}, h.Worker...)
	return os.WriteFile(r.key, []byte(strings.Repeat("5a", 32)+"\n"), 0o600)
}

func (r *recording) Start(ctx context.Context, h *Bed) (err error) {
	r.made++
	r.Running, err = start(ctx, h.Dir, fmt.Sprintf("recorder-%d", r.made), nil, h.Programs.protocolq,
		"recorder", "--nats", h.Cluster.uRLs(), "--database", "sqlite://"+r.path, "--log-level", "debug",
		"--log-format", "json")
	return err
}

// DieOnce kills the recorder in the middle of its work.
func (r *recording) DieOnce(ctx context.Context, h *Bed, after time.Duration) error {
	if err := Pause(ctx, after); err != nil {
		return err
	}
	h.Inject("recorder -9", r.Running.Name)
	r.Running.Kill()
	return r.Start(ctx, h)
}

// linesWithin is how long lines may be on their way when the stream is empty: of a stream whose
// leader changes, workers publish again after seconds.
const linesWithin = 20 * time.Second

// Read waits until the recorder has caught up, and reads what it wrote. Lines that are missing then
// are waited for.
func (r *recording) Read(ctx context.Context, h *Bed, t *verdict.Evidence) error {
	err := Eventually(ctx, Settle, "the recorder has caught up", func() bool {
		n, err := h.Observer.Count(ctx, messages.Log)
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
	runs := map[string]bool{}
	for _, c := range t.Journal {
		for run := range verdict.Fold(c).ByRun {
			runs[run] = true
		}
	}
	for end := time.Now().Add(linesWithin); ; {
		if t.Log, err = readLog(ctx, db, runs); err != nil {
			return err
		}
		if len(t.Log.Runs) == len(runs) || time.Now().After(end) {
			return nil // what is missing yet is missing
		}
		if err := Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// readLog reads all asks, and the calls of runs.
func readLog(ctx context.Context, db *database.DB, runs map[string]bool) (*verdict.QueryLog, error) {
	l := &verdict.QueryLog{Runs: map[string][]database.Call{}}
	for run := range runs {
		if err := readRun(ctx, db, l, run); err != nil {
			return nil, err
		}
	}
	for after := (database.Cursor{}); ; {
		page, err := db.List(ctx, database.Filter{}, after, database.MaxPage)
		if err != nil {
			return nil, err
		}
		l.Asks = append(l.Asks, page.Asks...)
		if after = page.Next; after == (database.Cursor{}) {
			return l, nil
		}
	}
}

// readRun reads the calls of a run, if it is there.
func readRun(ctx context.Context, db *database.DB, l *verdict.QueryLog, id string) error {
	stories, err := db.Show(ctx, id, nil)
	if err != nil && !errors.Is(err, database.ErrUnknownID) {
		return err
	}
	for _, s := range stories {
		if s.Run != nil && s.Run.ID == id {
			l.Runs[id] = append(make([]database.Call, 0, len(s.Run.Calls)), s.Run.Calls...)
		}
	}
	return nil
}
