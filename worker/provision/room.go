// What streams may hold: it is not made less unasked, and said where the servers have less.

package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// keepRoom puts back into a change what would let the stream hold less than it may: the server
// deletes at once what is too much. fullest is how many messages the fullest subject holds: at
// least twice as many may become what each may hold.
func keepRoom(have jetstream.StreamConfig, change *jetstream.StreamConfig, fullest uint64) {
	keepMore(have.Replicas, &change.Replicas)
	keepMore(have.MaxBytes, &change.MaxBytes)
	keepMore(have.MaxMsgs, &change.MaxMsgs)
	keepMore(have.MaxAge, &change.MaxAge)
	if fullest > uint64(max(change.MaxMsgsPerSubject, 0))/2 {
		keepMore(have.MaxMsgsPerSubject, &change.MaxMsgsPerSubject)
	}
	if change.MaxMsgsPerSubject <= 0 { // the server wants a bound to refuse at
		change.DiscardNewPerSubject = false
	}
}

// fullest counts the messages of the subject that has most of a stream.
func fullest(ctx context.Context, js jetstream.JetStream, stream string) (most uint64, err error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return 0, err
	}
	for _, n := range info.State.Subjects {
		most = max(most, n)
	}
	return most, nil
}

// keepMore keeps a bound that is wider; none, 0 or less, is the widest.
func keepMore[T int | int64 | time.Duration](have T, change *T) {
	if *change > 0 && (have <= 0 || have > *change) {
		*change = have
	}
}

// ErrNoRoom says that the servers, or the account on them, have less room than a stream is to have.
var ErrNoRoom = errors.New("there is less room")

// Codes of the server that say so: of the account, of a cluster's servers together, of a server.
const (
	codeAccountFull = jetstream.ErrorCode(10002)
	codeNoPeers     = jetstream.ErrorCode(10005)
	codeNoResources = jetstream.ErrorCode(10023)
	codeDiskFull    = jetstream.ErrorCode(10047)
)

// noRoom says what a stream needs, and all of them together, where err is that there is less.
func noRoom(err error, want jetstream.StreamConfig, all []jetstream.StreamConfig) error {
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok {
		return err
	}
	switch api.ErrorCode {
	case codeAccountFull, codeNoPeers, codeNoResources, codeDiskFull:
	default:
		return err
	}
	var sum int64
	for _, s := range all {
		sum += s.MaxBytes
	}
	on := "on the server"
	if want.Replicas > 1 {
		on = fmt.Sprintf("on each of %d servers", want.Replicas)
	}
	return fmt.Errorf("%w: it needs %s %s, all streams of the fleet %s: %w", ErrNoRoom, size(want.MaxBytes), on,
		size(sum), err)
}

// size spells bytes as a person reads them.
func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
}
