// Trace: a message's way through a door, as tracing sees it.

package intake

import (
	"time"

	"protocolq/messages"
)

// Traces follows messages through the doors. Many goroutines call its methods, which must not
// block.
type Traces interface {
	// Enter takes the trace context that an asker sent, or "", and returns the one that the ask goes
	// on with; followed is false if the ask is not traced.
	Enter(asker, token string, redelivered bool) (trace string, followed bool)
	// Passed gets each traced passage at its end.
	Passed(*Passage)
}

// Passage is the way of one message through a door: until it is journalled, or a reply has left
// from here.
type Passage struct {
	Door        string // messages.DoorQuery or messages.DoorSubmit
	Asker       string // the trace context that the asker sent, or ""
	Trace       string // the one that it goes on with
	Token       string
	Partner     string // "" if it is not known
	Redelivered bool
	Came, Ended time.Time
	// Outcome, Code, Source and Run are those of the reply; all are zero if the ask is journalled and
	// gets its reply later.
	Outcome messages.Outcome
	Code    string
	Source  messages.Source
	Run     string
}

// enter begins a message's passage, if it is traced.
func (r *replies) enter(a *arrived, came time.Time, redelivered bool) {
	if r.traces == nil {
		return
	}
	trace, followed := r.traces.Enter(a.env.Trace, a.token, redelivered)
	if followed {
		a.way = &Passage{Door: doorName(a.door), Asker: a.env.Trace, Trace: trace, Token: a.token,
			Redelivered: redelivered, Came: came}
	}
	a.env.Trace = trace
}

// passed ends a passage, with the reply that has left from here, or nil if the ask is journalled.
func (r *replies) passed(way *Passage, partner string, reply *messages.Result) {
	if way == nil {
		return
	}
	way.Partner, way.Ended = partner, time.Now()
	if reply != nil {
		way.Outcome, way.Code, way.Source, way.Run = reply.Outcome, reply.Code, reply.Source, reply.Run
	}
	r.traces.Passed(way)
}
