// Following the askers' file: a change takes effect without a restart.

package httpdoor

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
)

// follower keeps a door to what the askers' file says. A file that is gone or broken changes
// nothing, and is logged.
type follower struct {
	path    string // "": the askers stay as they are
	askers  []Asker
	door    *door
	workers *workers
	readers func([]Asker) []*reader
	log     *slog.Logger

	running map[string]context.CancelFunc // ends what is read, by what it is read for; of run's goroutine alone
	reading sync.WaitGroup                // of all readers, also those that are ending
}

// lookEvery is how often the file is looked at. A change counts at the second look that finds the
// same bytes, as an editor may be writing it.
const lookEvery = 500 * time.Millisecond

// run reads what there is for the askers, and follows the file, until ctx ends and all reading has.
func (f *follower) run(ctx context.Context) {
	f.running = map[string]context.CancelFunc{}
	defer f.reading.Wait()
	defer f.read(ctx, nil)
	f.read(ctx, f.askers)
	if f.path == "" {
		<-ctx.Done()
		return
	}
	var taken, before []byte // it may have changed since it was read for the start
	said := ""
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		data, err := f.look()
		if err == nil {
			if still := bytes.Equal(data, before); !still || bytes.Equal(data, taken) {
				before = data
				continue
			}
			if err = f.take(ctx, data); err == nil {
				taken, said = data, ""
				continue
			}
		}
		if text := err.Error(); text != said {
			f.log.Error("askers' file not taken: the askers stay as they were", "err", err)
			said = text
		}
	}
}

func (f *follower) look() ([]byte, error) { return cli.ReadBounded(f.path, maxAskersFile) }

// take makes the door that of other askers.
func (f *follower) take(ctx context.Context, data []byte) error {
	askers, err := parseAskers(data)
	if err == nil {
		err = checkSecrets(&settings.Config{}, askers) // of its own, as it keeps what it has read
	}
	if err == nil {
		err = f.workers.serve(askers)
	}
	if err != nil {
		return err
	}
	f.door.admit(askers)
	f.read(ctx, askers)
	f.log.Info("askers' file taken", "askers", len(askers))
	return nil
}

// read has what there is for the askers read, and nothing else. Who ends meanwhile may have a
// delivery under way, which takes up to deliverTime: no change waits for that.
func (f *follower) read(ctx context.Context, askers []Asker) {
	wanted := map[string]*reader{}
	for _, r := range f.readers(askers) {
		wanted[r.purpose] = r
	}
	for purpose, stop := range f.running {
		if wanted[purpose] == nil {
			stop()
			delete(f.running, purpose)
		}
	}
	for purpose, r := range wanted {
		if f.running[purpose] != nil {
			continue
		}
		reading, stop := context.WithCancel(ctx)
		f.running[purpose] = stop
		f.reading.Go(func() { r.run(reading) })
	}
}
