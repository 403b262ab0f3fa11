//go:build unix

// What the witnesses saw: all that the checker may look at.

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// testimony is what the witnesses of one scenario saw. Times are unix microseconds.
type testimony struct {
	Asks    map[string]*asked // by id
	Calls   []simulator.Call  // the practice gateways' logs
	Faults  []fault           // what was done to the house
	Written []written         // every change of a key's record that was seen, and those that are there at the end
	Dead    map[string]string // reason of the dead letter of an ask, by its id
	Left    uint64            // messages that still wait in the streams at the end
	Fenced  uint64            // late writes that were refused, as the workers that live tell
	Escaped []string          // subjects on which a result was seen that must not be there
	Panics  []string          // processes that panicked
	Surplus []string          // anything else that must not be, in words
	Log     *queryLog         // what the recorder wrote; nil where there was none
	Leaks   []string          // where a secret, a person or an account was seen that must not be
	Looked  int64             // bytes that were looked through for them
	Figures []figure          `json:"-"` // what a scenario measured itself
	Rests   []rest            // what the workers held when all was quiet, a new one last
}

// asked is one ask and what came of it.
type asked struct {
	ID, Door, Email string
	Account, Key    string
	Sent            int64
	Acked           int64 // submitted only: when the stream had it
	Told            []telling
	GaveUp          string // why the asker stopped asking
}

// query is what was asked, as the key's record and the gateway know it.
func (a *asked) query() messages.Query {
	return messages.Query{Partner: partner, UserEmail: a.Email, AccountNo: a.Account, Key: a.Key}
}

// account is how the gateway's log names it.
func (a *asked) account() string {
	return partner + " " + strings.Trim(a.Email+" "+a.Account, " ")
}

// telling is one answer to an ask.
type telling struct {
	At                         int64
	Outcome, Code, Run, Source string
}

// fault is one harm done.
type fault struct {
	At    int64
	Until int64  // when it was mended; 0 where there is nothing to mend
	Kind  string // one of the constants below
	Who   string
}

// Kinds of faults.
const (
	killed   = "kill -9"   // a worker
	stopped  = "SIGSTOP"   // a worker, until SIGCONT
	cutOff   = "cut off"   // a worker from NATS
	termed   = "SIGTERM"   // a worker was asked to end
	downed   = "server -9" // a NATS server
	outage   = "outage"    // no gateway
	lies     = "lies"      // a gateway that says what must not be believed
	sluggish = "slow"      // a gateway that is slow in every way
	storm    = "storm"     // a gateway that only fails
	wiped    = "wiped"     // a stream deleted, and provisioned again
	full     = "disk full"
)

// excuses says that the fault leaves the calls that its worker had under way in doubt: nobody can know whether they came
// to an answer.
func (f fault) excuses() bool { return f.Kind == killed || f.Kind == stopped || f.Kind == cutOff }

// severs says that the connections to the gateway were cut, with the answers on them.
func (f fault) severs() bool {
	return f.Kind == outage || f.Kind == storm || f.Kind == lies || f.Kind == sluggish
}

// written is one state of a key's record.
type written struct {
	Key, Phase, Run string
	Seq             uint64
	At              int64
	Conclusive      bool // done, with an answer that settles the question
}

// readAsker takes in an asker's log. A last line without its end is one that was being written.
func (t *testimony) readAsker(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read asker's log: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) == nil {
			t.take(l)
		}
	}
	return nil
}

func (t *testimony) take(l line) {
	a := t.Asks[l.ID]
	if a == nil {
		a = &asked{ID: l.ID}
		t.Asks[l.ID] = a
	}
	switch l.What {
	case "sent":
		a.Door, a.Email, a.Account, a.Key, a.Sent = l.Door, l.Email, l.Account, l.Key, l.At
	case "acked":
		a.Acked = l.At
	case "told":
		a.Told = append(a.Told, telling{At: l.At, Outcome: l.Outcome, Code: l.Code, Run: l.Run, Source: l.Source})
	case "gave-up":
		a.GaveUp = l.Err
	}
}

// readCalls takes in a practice gateway's log.
func (t *testimony) readCalls(page string) error {
	answer, err := http.Get(page + "/calls") //nolint:noctx // it is this house's own, on loopback
	if err != nil {
		return fmt.Errorf("read call log: %w", err)
	}
	defer answer.Body.Close()
	for lines := json.NewDecoder(answer.Body); ; {
		var c simulator.Call
		switch err := lines.Decode(&c); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read call log: %w", err)
		}
		t.Calls = append(t.Calls, c)
	}
}
