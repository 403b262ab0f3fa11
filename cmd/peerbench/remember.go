// Remember: a stream full of answers, so that the cost of many keys can be seen without asking for each.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/vmihailenco/msgpack/v5"
)

const (
	stateStream  = "PROTOCOL_STATE"
	stateRecords = "protocol.state."
	window       = 4096 // publishes on their way into the stream
)

// remember fills the stream of protocolq's records with copies of one that a worker has stored, each under a key of its own
// and with another owner's name, so that the worker takes them for what another worker stored. It returns the
// resident size of the largest worker once all have been stored.
func (w *world) remember(ctx context.Context) (mb float64, err error) {
	if w.o.remembered == 0 {
		return 0, nil
	}
	if !strings.HasPrefix(w.o.contestant, mine) {
		return 0, errors.New("-remembered is for protocolq: of the others nobody knows the records")
	}
	stream, err := jetstream.New(w.nc, jetstream.WithPublishAsyncMaxPending(window))
	if err != nil {
		return 0, err
	}
	state, err := stream.Stream(ctx, stateStream)
	if err != nil {
		return 0, err
	}
	template, err := state.GetLastMsgForSubject(ctx, stateRecords+"*")
	if err != nil {
		return 0, fmt.Errorf("a record to copy: %w", err)
	}
	body, err := disown(template.Data)
	if err != nil {
		return 0, err
	}
	ttl := template.Header.Get(jetstream.MsgTTLHeader)
	for i := range w.o.remembered {
		if _, err := stream.PublishMsgAsync(&nats.Msg{Subject: stateRecords + numbered(template.Subject[len(stateRecords):], i), Data: body,
			Header: nats.Header{jetstream.MsgTTLHeader: {ttl}}}, jetstream.WithStallWait(time.Minute)); err != nil {
			return 0, err
		}
	}
	select {
	case <-stream.PublishAsyncComplete():
	case <-time.After(time.Minute):
		return 0, errors.New("the stream did not take the remembered answers in a minute")
	}
	info, err := state.Info(ctx)
	if err != nil {
		return 0, err
	}
	if info.State.Msgs < uint64(w.o.remembered) {
		return 0, fmt.Errorf("%d of %d remembered answers are in the stream", info.State.Msgs, w.o.remembered)
	}
	time.Sleep(2 * time.Second) // the workers read what was stored
	syscall.Sync()              // what the filling wrote is on the disk before anything is measured
	return w.largest((*proc).rss), nil
}

// numbered is a key as long as the given one, and another for each i.
func numbered(key string, i int) string {
	n := fmt.Sprint(i)
	return strings.Repeat("0", max(len(key)-len(n), 0)) + n
}

// disown writes another owner's name of the same length into a record.
func disown(record []byte) ([]byte, error) {
	var r struct {
		Owner string `msgpack:"owner"`
	}
	if err := msgpack.Unmarshal(record, &r); err != nil {
		return nil, fmt.Errorf("a record to copy: %w", err)
	}
	if r.Owner == "" {
		return nil, errors.New("a record to copy names no owner")
	}
	return bytes.Replace(record, []byte(r.Owner), []byte(strings.Repeat("x", len(r.Owner))), 1), nil
}
