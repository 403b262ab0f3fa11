// The streams and consumers: whether they exist, as declared and with room, and no foreign stream
// takes their subjects.

package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
	"protocolq/worker/provision"
)

// mostFill is the part of a stream's room above which no call begins.
const mostFill = 0.8

// errForbidden says that this user may not ask.
var errForbidden = errors.New("this user may not ask")

// allowed makes a NATS request, which ends early if the server forbids it.
func (b *bench) allowed(ctx context.Context, ask func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	watched, stop := natsconn.WhileAllowed(within, b.nc)
	defer stop()
	err := ask(watched)
	if err != nil && watched.Err() != nil && within.Err() == nil {
		return errForbidden
	}
	return err
}

// checkStreams compares what is there with what is declared. The operator chooses the number of
// copies, the log's size and how long an acknowledgement may take.
func (b *bench) checkStreams(ctx context.Context) (list []Check) {
	o := provision.Options{Names: b.names.Names}.For(b.js.Conn())
	for _, a := range b.o.Askers {
		o.Readers.HTTP = append(o.Readers.HTTP, a.Name)
	}
	var faults, unseen []string
	full, away, skew := well("nats.room", "no stream is fuller than 80 %%"), well("nats.replicas",
		"all copies are there"), skipped("clock.nats", "no stream shows the server's time")
	for _, want := range provision.Streams(o) {
		before := time.Now()
		var info *jetstream.StreamInfo
		err := b.allowed(ctx, func(ctx context.Context) error {
			s, err := b.js.Stream(ctx, want.Name)
			if err == nil {
				info = s.CachedInfo()
			}
			return err
		})
		switch {
		case errors.Is(err, errForbidden):
			unseen = append(unseen, want.Name)
			continue
		case errors.Is(err, jetstream.ErrStreamNotFound):
			faults = append(faults, want.Name+" is missing")
			continue
		case err != nil:
			faults = append(faults, want.Name+": "+err.Error())
			continue
		}
		if !info.TimeStamp.IsZero() && skew.Status != Fault {
			skew = checkSkew("clock.nats", info.TimeStamp, before, time.Now())
		}
		faults = append(faults, differs(info, want, b.names.Names)...)
		if fill := float64(info.State.Bytes) / float64(max(1, info.Config.MaxBytes)); info.Config.MaxBytes > 0 &&
			fill > mostFill && info.Config.Discard == jetstream.DiscardNew {
			full = fault("nats.room", fmt.Sprintf("%s is %.0f %% full", want.Name, 100*fill),
				roomCure(want.Name, b.names.Names))
		}
		if out := outOfStep(info); len(out) > 0 {
			away = fault("nats.replicas", want.Name+": "+strings.Join(out, ", "),
				"start the server, or look at its log: what is acknowledged now is on fewer disks than declared")
		}
	}
	consumers := slices.DeleteFunc(provision.Consumers(o), func(c provision.Consumer) bool {
		// Only the page's watches need it, and their page says so.
		return c.Config.Durable == messages.ConsoleName && b.o.Role != forConsole
	})
	more, hidden := b.checkConsumers(ctx, consumers)
	return append(list, streamsCheck(append(faults, more...), append(unseen, hidden...)), full, away, skew)
}

func roomCure(stream string, names messages.Names) string {
	switch stream {
	case names.Stream(messages.Log):
		return "run a recorder, and look at what holds it up"
	case names.Stream(messages.Replies):
		return "have the asker read its durable replies, or delete those that nobody will"
	case names.Stream(messages.Dead):
		return "protocolq dead list, then redrive or discard"
	}
	return "give it more room: protocolq provision --journal-bytes N --update; look for a worker that is behind"
}

func streamsCheck(faults, unseen []string) Check {
	switch {
	case len(faults) > 0:
		return fault("nats.streams", strings.Join(faults, "; "),
			"protocolq provision, and with --update where something differs, as a user who may (PROVISIONER in "+
				"deploy/nats/users.conf)")
	case len(unseen) > 0:
		return well("nats.streams", "as declared, but for those that this user may not ask for: %s",
			strings.Join(unseen, ", "))
	}
	return well("nats.streams", "all as declared")
}

// differs says how a stream differs from its declaration.
func differs(info *jetstream.StreamInfo, want jetstream.StreamConfig, names messages.Names) (faults []string) {
	want.Replicas = info.Config.Replicas
	if want.Name == names.Stream(messages.Journal) {
		want.MaxBytes = info.Config.MaxBytes
	}
	for _, d := range provision.CompareStreams(info.Config, want) {
		faults = append(faults, fmt.Sprintf("%s: %s is %s, declared is %s", want.Name, d.Setting, d.Have, d.Declared))
	}
	if info.Config.Replicas == 1 && info.Cluster != nil && info.Cluster.Name != "" {
		faults = append(faults, want.Name+": one copy in a cluster: with that server it is gone (--replicas 3)")
	}
	return faults
}

// outOfStep lists the copies of a stream that are missing or behind.
func outOfStep(info *jetstream.StreamInfo) (list []string) {
	if info.Cluster == nil {
		return nil
	}
	for _, r := range info.Cluster.Replicas {
		if r.Offline || !r.Current && r.Active > 10*time.Second {
			list = append(list,
				fmt.Sprintf("the copy on %s is %d behind, seen %s ago", r.Name, r.Lag, r.Active.Round(time.Second)))
		}
	}
	return list
}

func (b *bench) checkConsumers(ctx context.Context, all []provision.Consumer) (faults, unseen []string) {
	for _, want := range all {
		name := want.Stream + " > " + want.Config.Durable
		var have jetstream.ConsumerConfig
		err := b.allowed(ctx, func(ctx context.Context) error {
			c, err := b.js.Consumer(ctx, want.Stream, want.Config.Durable)
			if err == nil {
				have = c.CachedInfo().Config
			}
			return err
		})
		switch {
		case errors.Is(err, errForbidden):
			unseen = append(unseen, name)
			continue
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			faults = append(faults, name+" is missing")
			continue
		case err != nil:
			faults = append(faults, name+": "+err.Error())
			continue
		}
		want.Config.AckWait = have.AckWait
		for _, d := range provision.CompareConsumers(have, want.Config) {
			faults = append(faults, fmt.Sprintf("%s: %s is %s, declared is %s", name, d.Setting, d.Have, d.Declared))
		}
	}
	return faults, unseen
}

// checkForeign looks for foreign streams that answer askers before any worker does.
func (b *bench) checkForeign(ctx context.Context) Check {
	var found []string
	err := b.allowed(ctx, func(ctx context.Context) error {
		items, err := provision.FindForeign(ctx, b.js, b.names.Names)
		for _, i := range items {
			found = append(found, i.Name+" captures "+i.Differences[0].Have)
		}
		return err
	})
	switch {
	case errors.Is(err, errForbidden):
		return skipped("nats.foreign",
			"this user may not list streams: try it once as a user who may (PROVISIONER), --nats-creds")
	case err != nil:
		return fault("nats.foreign", err.Error(), connectHint)
	case len(found) > 0:
		return fault("nats.foreign", strings.Join(found, "; "),
			"narrow or delete that stream (nats stream info): it answers askers in place of a worker")
	}
	return well("nats.foreign", "no other stream answers in place of a worker")
}
