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

// follower makes a door follow the askers' file. A file that is missing or broken changes nothing,
// and is logged.
type follower struct {
	path    string // "": the askers stay as they are
	askers  []Asker
	door    *door
	workers *workers
	readers func([]Asker) []*reader
	log     *slog.Logger

	running map[string]context.CancelFunc // ends each reader, by what it is for; only run's goroutine uses it
	reading sync.WaitGroup                // of all readers, including those that are ending
}

// lookEvery is how often to look at the file. A change counts at the second look that finds the
// same bytes, because an editor may still be writing it.
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

// take gives the door other askers.
func (f *follower) take(ctx context.Context, data []byte) error {
	askers, err := parseAskers(data)
	if err == nil {
		err = checkSecrets(&settings.Config{}, askers) // its own Config, because that keeps what it has read
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

// read runs the readers that these askers need, and no others. A reader that ends may have a
// delivery under way, which takes up to deliverTime: no change of the askers waits for that.
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
