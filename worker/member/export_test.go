// What tests see of a member at rest.

package member

import (
	"fmt"
	"strings"
	"time"

	"protocolq/worker/flight"
	"protocolq/worker/journal"
)

// Cached reports whether the text at a place of the log is in memory.
func (m *Member) Cached(at journal.Ref) bool {
	_, inTexts := m.texts.get(at)
	_, inAnswers := m.answers.Get(at)
	return inTexts || inAnswers
}

// Held says what a member holds that it does not need when nothing is under way; "": nothing.
func (m *Member) Held() string {
	var held []string
	add := func(what string, n int) {
		if n > 0 {
			held = append(held, fmt.Sprintf("%d %s", n, what))
		}
	}
	m.loop.Do(func(f *flight.Flights, _ time.Duration) {
		add("begins", len(m.runs.begins))
		add("keys of runs beyond them", len(m.runs.keys)-len(m.runs.begins))
		add("runs ended", len(m.runs.ended))
		add("duties not told", len(m.stages))
		add("copies wanted", len(m.tail.wanted))
		add("open runs", f.Open())
		add("parked", f.Parked())
	})
	m.mu.Lock()
	add("kept", len(m.kept))
	add("told", len(m.told))
	m.mu.Unlock()
	add("fetches", len(m.fetches))
	return strings.Join(held, ", ")
}
