// Health: what the probes answer, from what a worker or a recorder knows of itself.

package ops

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"protocolq/worker"
	"protocolq/worker/querylog"
)

// State is how a part of a process is.
type State string

// The states. Only Down keeps a process from being asked.
const (
	OK       State = "ok"
	Degraded State = "degraded" // all processes of a fleet have it alike: leaving one out helps nothing
	Down     State = "down"
)

// Part is one thing that a process stands on.
type Part struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail,omitempty"`
}

// Health is the answer to all probes.
type Health struct {
	Started  bool // it has been ready once
	Draining bool // it takes nothing new in any more
	Stuck    bool // only a restart helps
	Parts    []Part
}

// Status is a Health in one word.
func (h Health) Status() string {
	has := func(s State) bool { return slices.ContainsFunc(h.Parts, func(p Part) bool { return p.State == s }) }
	switch {
	case h.Draining:
		return "draining"
	case !h.Started:
		return "starting"
	case has(Down):
		return "unready"
	case has(Degraded):
		return "degraded"
	}
	return "ready"
}

// Ready reports whether the process may be given work.
func (h Health) Ready() bool {
	s := h.Status()
	return s == "ready" || s == "degraded"
}

// Live reports whether the process need not be restarted.
func (h Health) Live() bool { return !h.Stuck }

func part(name string, well bool, otherwise State, detail string) Part {
	if well {
		return Part{Name: name, State: OK}
	}
	return Part{Name: name, State: otherwise, Detail: detail}
}

// OfWorker is the health of a worker: it has to reach NATS and to be in the fleet. A gateway or a
// stream that is away is away for all workers, so it makes none unready.
func OfWorker(c worker.Condition) Health {
	out := "not in the fleet yet: the journal is being read, or is not there"
	if c.Opened {
		out = "not in the fleet any more: it joins again"
	}
	h := Health{Started: c.Opened, Draining: c.Draining, Stuck: c.Stuck > 0, Parts: []Part{
		part("nats", c.Connected, Down, "not connected"),
		part("fleet", c.Member, Down, out),
	}}
	if h.Stuck {
		h.Parts = append(h.Parts, Part{Name: "decisions", State: Down,
			Detail: fmt.Sprintf("none for %v: restart it", c.Stuck.Truncate(time.Second))})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Degraded)) {
		h.Parts = append(h.Parts, Part{Name: name, State: Degraded, Detail: c.Degraded[name]})
	}
	return h
}

// OfRecorder is the health of a recorder: it has to read its stream. A database that is away holds
// lines up in the stream, where nothing is lost.
func OfRecorder(s querylog.Stats, connected, draining bool) Health {
	return Health{Started: s.Started, Draining: draining, Parts: []Part{
		part("nats", connected, Down, "not connected"),
		part("stream", s.Reading, Down, "it gives no lines: its consumer is not found, or the stream is away"),
		part("database", !s.Down, Degraded, "away or full: lines wait in the stream"),
	}}
}

// OfAsker is the health of what only asks the workers, as the HTTP door and the console do: it has
// to reach NATS. Workers that are away are so for every one of them.
func OfAsker(connected, draining bool) Health {
	return Health{Started: true, Draining: draining, Parts: []Part{part("nats", connected, Down, "not connected")}}
}
