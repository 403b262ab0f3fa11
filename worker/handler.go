// The page to read first: what is done for one key, in one sentence, and what joins it to those who
// ask.

// Package worker answers queries: it is the one place where messages meet the
// gateway.
//
// A query comes in by one of two doors. On protocol.query an asker awaits the
// reply (door_query.go): what is remembered is answered at once, anything else is
// stored as a request (door_store.go), in one message with what else is asked just
// then (batch.go). On protocol.submit he goes his way; the stream stores the query
// itself. From there the path is one (door_stream.go): a consumer hands the stored
// query to a worker, the worker joins it to its key's flight (package dedupe),
// whoever wins the key runs the [Handler] below, and every worker that holds askers
// of the key replies to its own (reply.go), then acknowledges.
//
//	ask ──► front door ──► stream ──► join by key ──► Handler ──► store ──► log, event ──► reply ──► log ──► ack
//
// Nothing is told that is not stored, and nothing is acknowledged that is not
// told.
package worker

import (
	"context"
	"time"

	"protocolq/gateway"
	"protocolq/messages"
	"protocolq/worker/dedupe"
)

// Turn is one run for one key: what is asked, and the lease to ask it under.
type Turn struct {
	Query     messages.Query
	Lease     *dedupe.Lease
	Attempts  []Attempt       // made so far, the last one last
	open      bool            // a call was cut: what it came to is not known
	unread    *gateway.Report // of the last attempt, where something came back that was no answer
	notBefore time.Time       // until when the gateway wants to be left alone; zero: it did not say
	Before    []Attempt       // of holders that died over the key, the last one cut
}

// Handler answers the query of a turn. An error means there is no answer and
// the key is given back; a refusal and a failure of the gateway are answers.
type Handler func(ctx context.Context, t *Turn) (messages.Result, error)

// handler is what is done once per key: ask the gateway at the partner's pace and no sooner than
// it wants, try again while that may help and the budget lasts, and write one line about it.
func (w *Worker) handler() Handler {
	return logged(w.log, counted(w.metrics, noted(w.gate, retried(w.o.Retry, w.budget, paced(w.gate, heeded(w.hold, w.log, asked(w.o.Gateway)))))))
}
