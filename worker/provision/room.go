// What streams may hold: it is not made less unasked, and said where the servers have less.

package provision

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// keepRoom puts back into a change what would let the stream hold less than it may: the server
// deletes at once what is too much.
func keepRoom(have jetstream.StreamConfig, change *jetstream.StreamConfig) {
	keepMore(have.Replicas, &change.Replicas)
	keepMore(have.MaxBytes, &change.MaxBytes)
	keepMore(have.MaxMsgs, &change.MaxMsgs)
	keepMore(have.MaxMsgsPerSubject, &change.MaxMsgsPerSubject)
	keepMore(have.MaxAge, &change.MaxAge)
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
