// What streams may hold: it is reduced only on request, and a lack of room on the servers is
// reported.

package provision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// keepRoom puts back settings that would let the stream hold less than before, because the server
// at once deletes what is too much. fullest is the number of messages of the fullest subject: the
// bound for each subject may be reduced to twice that, and no further.
func keepRoom(have jetstream.StreamConfig, change *jetstream.StreamConfig, fullest uint64) {
	keepMore(have.Replicas, &change.Replicas)
	keepMore(have.MaxBytes, &change.MaxBytes)
	keepMore(have.MaxMsgs, &change.MaxMsgs)
	keepMore(have.MaxAge, &change.MaxAge)
	if fullest > uint64(max(change.MaxMsgsPerSubject, 0))/2 {
		keepMore(have.MaxMsgsPerSubject, &change.MaxMsgsPerSubject)
	}
	if change.MaxMsgsPerSubject <= 0 { // the server needs a bound to refuse messages
		change.DiscardNewPerSubject = false
	}
}

// fullest is the number of messages of a stream's fullest subject.
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

// keepMore keeps the wider bound; no bound, 0 or less, is the widest.
func keepMore[T int | int64 | time.Duration](have T, change *T) {
	if *change > 0 && (have <= 0 || have > *change) {
		*change = have
	}
}

// ErrNoRoom says that the servers, or the account on them, have less room than a stream needs.
var ErrNoRoom = errors.New("there is less room")

// The server's codes for that: for the account, for a cluster's servers together, for one server.
const (
	codeAccountFull = jetstream.ErrorCode(10002)
	codeNoPeers     = jetstream.ErrorCode(10005)
	codeNoResources = jetstream.ErrorCode(10023)
	codeDiskFull    = jetstream.ErrorCode(10047)
)

// noRoom adds what a stream needs, and what all streams need together, to an err that says that
// there is less.
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

// size writes bytes in a readable form.
func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
}
