// How to read the call log: from Go, and over HTTP at an address of its own.

package simulator

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// Calls returns the calls in the order of their ends, oldest first.
func (s *Simulator) Calls() []Call { return s.log.since(0) }

// Stats returns the sums.
func (s *Simulator) Stats() Stats { return s.log.stats() }

// Reset empties the log and the sums. Numbers begin at 1 again, and scenarios that count an
// account's calls begin anew. Calls in flight are forgotten.
func (s *Simulator) Reset() { s.log.reset() }

// logVerbs is the page at the call log's address.
const logVerbs = `The call log of the practice gateway.

GET  /calls          every call that is kept, one JSON object a line
GET  /calls?since=N  those after call N
GET  /stats          the sums, as JSON
POST /reset          empties both; numbers begin at 1 again
`

// LogHandler serves the call log: GET /calls with one JSON object on each line (?since=N leaves out
// those up to N), GET /stats as JSON, POST /reset, and GET / for a list of these. Serve it at an
// address of its own, which the gateway's clients do not know.
func (s *Simulator) LogHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, logVerbs)
	})
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, r *http.Request) {
		since := uint64(0)
		if text := r.FormValue("since"); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				http.Error(w, "since is not a number", http.StatusBadRequest)
				return
			}
			since = n
		}
		w.Header().Set("Content-Type", "application/jsonl")
		lines := json.NewEncoder(w)
		for _, c := range s.log.since(since) {
			if lines.Encode(c) != nil {
				return // the reader has left
			}
		}
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.log.stats())
	})
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// since copies the calls with a number above n that are still kept.
func (l *callLog) since(n uint64) []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	skip := 0
	if first := l.last - uint64(len(l.calls)) + 1; n >= first {
		skip = int(min(n-first+1, uint64(len(l.calls))))
	}
	out := make([]Call, 0, len(l.calls)-skip)
	for i := skip; i < len(l.calls); i++ {
		out = append(out, l.calls[(l.oldest+i)%len(l.calls)])
	}
	return out
}

func (l *callLog) stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sums
	s.Calls, s.InFlight, s.Accounts = l.last, l.inFlight, len(l.accounts)
	s.By, s.Faults, s.Partners = maps.Clone(s.By), maps.Clone(s.Faults), maps.Clone(s.Partners)
	return s
}

func (l *callLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.generation++
	l.calls, l.oldest, l.last, l.inFlight = nil, 0, 0, 0
	l.accounts = map[accountKey]*account{}
	l.sums = Stats{By: map[string]uint64{}, Faults: map[string]uint64{}, Partners: map[string]uint64{}}
}
