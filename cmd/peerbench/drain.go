// Drain: what a contestant still owes when every asker has an answer, and the time until it owes
// nothing.
package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// lookEvery is the time between two looks at the streams.
	lookEvery = 25 * time.Millisecond
	// quietFor is how long nothing must be owed and nothing new stored before a run is over: longer
	// than any contestant gathers lines.
	quietFor = 300 * time.Millisecond
)

// stored is what one look saw of a stream.
type stored struct {
	name string
	// last is the sequence of the newest message.
	last uint64
	// owed is the largest number of messages that a consumer has not delivered or not had
	// acknowledged. A message that no consumer has to acknowledge is a memory, not a debt: replies,
	// too, whose asker got them by a subscription.
	owed uint64
}

// streams are everything that one look saw.
type streams []stored

func (all streams) owed() (n uint64) {
	for _, s := range all {
		n += s.owed
	}
	return n
}

// last grows with each message that any stream stores.
func (all streams) last() (n uint64) {
	for _, s := range all {
		n += s.last
	}
	return n
}

// debts names the streams that hold a debt.
func (all streams) debts() string {
	var names []string
	for _, s := range all {
		if n := s.owed; n > 0 {
			names = append(names, fmt.Sprintf("%s %d", s.name, n))
		}
	}
	return strings.Join(names, ", ")
}

// quiet decides when nothing is owed any more: when one look saw no debt, and none of the following
// looks, for quietFor, saw a debt or a new message. A debt may be paid with another one, for
// example when a worker stores the line of an answer slightly after the answer.
type quiet struct {
	on    bool
	since time.Time
	last  uint64
}

// look adds one look. began says that since then everything may be paid, over that it was.
func (q *quiet) look(at time.Time, all streams) (began, over bool) {
	switch last := all.last(); {
	case all.owed() > 0:
		*q = quiet{}
		return false, false
	case !q.on || last != q.last:
		*q = quiet{on: true, since: at, last: last}
		return true, false
	}
	return false, at.Sub(q.since) >= quietFor
}

// accounts are the CPU seconds of all processes up to a time.
type accounts struct {
	at                                time.Time
	workers, beside, nats, gw, itself float64
}

func (w *world) accounts() accounts {
	return accounts{
		at: time.Now(), workers: cpu(w.workers...), beside: cpu(w.beside...),
		nats: cpu(w.servers...), gw: w.gateway.cpu(), itself: selfCPU(),
	}
}

// drained waits until nothing is owed and returns the accounts of the time from which on that was
// so. After -drain it gives up, and says how many messages are still owed, and where.
func (w *world) drained(ctx context.Context) (a accounts, owed uint64, where string, err error) {
	js, err := jetstream.New(w.nc)
	if err != nil {
		return a, 0, "", err
	}
	var q quiet
	for end := time.Now().Add(w.o.drain); ; {
		all, err := look(ctx, js)
		if err != nil {
			return a, 0, "", fmt.Errorf("look at the streams: %w", err)
		}
		began, over := q.look(time.Now(), all)
		switch {
		case began:
			a = w.accounts()
		case over:
			return a, 0, "", nil
		case time.Now().After(end):
			return w.accounts(), all.owed(), all.debts(), nil
		}
		select {
		case <-ctx.Done():
			return a, 0, "", ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// look reads every stream of the account, and the consumers of those that have some.
func look(ctx context.Context, js jetstream.JetStream) (all streams, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var read []string
	list := js.ListStreams(ctx)
	for info := range list.Info() {
		all = append(all, stored{name: info.Config.Name, last: info.State.LastSeq})
		if info.State.Consumers > 0 {
			read = append(read, info.Config.Name)
		}
	}
	if err := list.Err(); err != nil {
		return nil, err
	}
	for _, name := range read {
		s, err := js.Stream(ctx, name)
		if err != nil {
			return nil, err
		}
		consumers := s.ListConsumers(ctx)
		for info := range consumers.Info() {
			all.of(name).read(info)
		}
		if err := consumers.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// of is the stream with this name, which must be among them.
func (all streams) of(name string) *stored {
	for i := range all {
		if all[i].name == name {
			return &all[i]
		}
	}
	return &stored{}
}

// read counts what a consumer of the stream has to acknowledge. A consumer without
// acknowledgements, such as the watcher of a bucket, owes nothing that a server knows of.
func (s *stored) read(info *jetstream.ConsumerInfo) {
	if info.Config.AckPolicy != jetstream.AckNonePolicy {
		s.owed = max(s.owed, info.NumPending+uint64(max(info.NumAckPending, 0)))
	}
}
