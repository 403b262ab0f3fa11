//go:build unix

// The evidence: everything that the checks may use.

package verdict

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// Line is one line of an asker's log. Times are unix microseconds.
type Line struct {
	At      int64  `json:"at"`
	What    string `json:"what"` // sent, acked, told or gave-up
	ID      string `json:"id"`
	Door    string `json:"door,omitempty"` // query or submit
	Email   string `json:"email,omitempty"`
	Account string `json:"account,omitempty"`
	Key     string `json:"key,omitempty"`
	// Deadline is when the asker leaves, 0: it stays; MaxAge is in milliseconds.
	Deadline int64  `json:"deadline,omitempty"`
	MaxAge   *int64 `json:"max_age,omitempty"`
	Durable  bool   `json:"durable,omitempty"` // the reply goes into a stream
	Outcome  string `json:"outcome,omitempty"`
	Code     string `json:"code,omitempty"`
	Run      string `json:"run,omitempty"`
	Source   string `json:"source,omitempty"`
	Says     string `json:"says,omitempty"` // a sum over what is the same for all askers of a run
	Err      string `json:"err,omitempty"`
}

// Partner is the first of the practice partners.
const Partner = "2088000000000001"

// Stall is a time in which the servers stored no message. Times are unix microseconds.
type Stall struct{ From, To int64 }

// stalled reports whether the servers stood still between two times, or just before: what waited
// then takes as long again.
func (t *Evidence) stalled(from, to int64) bool {
	for _, s := range t.Stalls {
		if s.From <= to && from <= s.To+2*(s.To-s.From) {
			return true
		}
	}
	return false
}

// stoodStill is how long the servers stood still between two times without being harmed.
func (t *Evidence) stoodStill(from, to int64) time.Duration {
	sum := int64(0)
	for _, s := range t.Stalls {
		caused := slices.ContainsFunc(t.Faults,
			func(f Fault) bool { return f.silences() && f.At <= s.To && s.From <= max(f.At, f.Until) })
		if !caused {
			sum += max(0, min(s.To, to)-max(s.From, from))
		}
	}
	return time.Duration(sum) * time.Microsecond
}

// Said is a sum over a Result without what is each asker's own.
func Said(r messages.Result) string {
	r.ID, r.Source, r.AnsweredAtMs, r.RetryAfterMs, r.Meta = "", "", 0, 0, nil
	b, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Reply is a durable reply that was found.
func (t *Evidence) Reply(r messages.Result, at int64) {
	if a := t.Asks[r.ID]; a != nil {
		a.Replies = append(a.Replies, reply{At: at, Outcome: string(r.Outcome), Code: r.Code, Run: r.Run,
			Source: string(r.Source), Says: Said(r)})
	}
}

// Figure is a measurement of one scenario without a column of its own.
type Figure struct {
	What, Value, Bound string // Bound is "" if the figure has none
}

// Evidence is what was observed of one scenario. Times are unix microseconds.
type Evidence struct {
	Asks    map[string]*Ask   // by id
	Calls   []simulator.Call  // the practice gateways' logs
	Faults  []Fault           // what was injected
	Stalls  []Stall           // when the servers stood still without being harmed
	Journal []Chronicle       // the content of each life of the journal
	Events  map[string]int    // number of events of a run
	Durable map[string]int    // number of durable replies to an ask, by its token
	Dead    map[string]string // reason of the dead letter of an ask, by its id
	Letters int               // dead letters
	Left    uint64            // messages that still wait in the streams at the end
	Fenced  uint64            // late writes that were refused, as the live workers report
	Escaped []string          // forbidden subjects on which a result appeared
	Panics  []string          // processes that panicked
	Surplus []string          // any other violation, in words
	Log     *QueryLog         // what the recorder wrote; nil if there was none
	Leaks   []string          // where a secret, a person or an account was found that must not be
	Looked  int64             // bytes that were searched for them
	Figures []Figure          `json:"-"` // what a scenario measured itself
	Rests   []Rest            // what the workers held when all was quiet, the new one last
}

// Ask is one ask and its results.
type Ask struct {
	ID, Door, Email string
	Account, Key    string
	Sent            int64
	Times           int   // how many times it was asked, with the same id
	Deadline        int64 // 0: none
	MaxAge          *int64
	Durable         bool  // its reply goes into a stream
	Acked           int64 // when it was acknowledged, if its reply goes into a stream
	Replies         []reply
	GaveUp          string // why the asker stopped asking
}

// Query is the question, as the key's record and the gateway know it.
func (a *Ask) Query() messages.Query {
	return messages.Query{Partner: Partner, UserEmail: a.Email, AccountNo: a.Account, Key: a.Key}
}

// account is the gateway's log's name for it.
func (a *Ask) account() string {
	return accountName(Partner, a.Email, a.Account)
}

// accountName is the gateway's log's name for an account, with its partner.
func accountName(partner, email, account string) string {
	return partner + " " + strings.Trim(email+" "+account, " ")
}

// reply is one answer to an ask.
type reply struct {
	At                         int64
	Outcome, Code, Run, Source string
	Says                       string // a sum over everything that is not the asker's own
}

// Fault is one injected fault.
type Fault struct {
	At    int64
	Done  int64  // when the harm was done, which takes a while on a busy machine; 0: at once
	Until int64  // when it was repaired; 0 if there is nothing to repair
	Kind  string // one of the constants below
	Who   string
}

// Kinds of faults.
const (
	Killed   = "kill -9"   // a worker
	Stopped  = "SIGSTOP"   // a worker, until SIGCONT
	CutOff   = "cut off"   // a worker from NATS
	Termed   = "SIGTERM"   // a worker was asked to end
	Downed   = "server -9" // a NATS server
	Outage   = "outage"    // no gateway
	Lies     = "lies"      // a gateway that says what must not be believed
	Sluggish = "slow"      // a gateway that is slow in every way
	Storm    = "storm"     // a gateway that only fails
	Wiped    = "wiped"     // a stream deleted, and provisioned again
	Full     = "disk full"
	Broken   = "disk EIO"       // a disk that is there and fails
	Slowed   = "disk slow"      // a disk that is slow
	Hung     = "server SIGSTOP" // a NATS server that stands still, with its connections
	Gone     = "away"           // a stream deleted for a while
	Absent   = "all away"       // every process
	Joined   = "joins"          // one more worker
	Restored = "restored"       // the journal in an older state
	Deposed  = "stepdown"       // a leader in a cluster
	PowerOut = "power cut"      // of all NATS servers and the query log at once
)

// silences says that the fault may keep a reply from coming in time: its sender, or the stream that
// stores it, is away.
func (f Fault) silences() bool {
	switch f.Kind {
	case Killed, Stopped, CutOff, Downed, PowerOut, Wiped, Full, Broken, Slowed, Deposed, Hung, Absent, Restored:
		return true
	case Gone:
		return f.Who == string(messages.Replies)
	}
	return false
}

// excuses says that the fault leaves the calls of its worker in doubt: it cannot be known whether
// they got an answer.
func (f Fault) excuses() bool {
	return f.Kind == Killed || f.Kind == Stopped || f.Kind == CutOff || f.Kind == Hung
}

// severs says that the connections to the gateway were cut, with the answers on them.
func (f Fault) severs() bool {
	return f.Kind == Outage || f.Kind == Storm || f.Kind == Lies || f.Kind == Sluggish
}

// parts reports whether something that went on from one time to another was in the midst of a
// cut: while the way to the gateway was being changed, or changed back.
func (f Fault) parts(from, to int64) bool {
	over := func(first, last int64) bool { return from <= last && first <= to }
	return f.severs() && (over(f.At, max(f.At, f.Done)) || f.Until != 0 && over(f.Until, f.Until))
}

// ReadAsker reads an asker's log. A last line without its end was still being written.
func (t *Evidence) ReadAsker(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read asker's log: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var l Line
		if json.Unmarshal(lines.Bytes(), &l) == nil {
			t.take(l)
		}
	}
	return nil
}

func (t *Evidence) take(l Line) {
	a := t.Asks[l.ID]
	if a == nil {
		a = &Ask{ID: l.ID}
		t.Asks[l.ID] = a
	}
	switch l.What {
	case "sent":
		if a.Times++; a.Times == 1 {
			a.Door, a.Email, a.Account, a.Key, a.Sent = l.Door, l.Email, l.Account, l.Key, l.At
			a.Deadline, a.MaxAge, a.Durable = l.Deadline, l.MaxAge, l.Durable
		}
	case "acked":
		if a.Acked == 0 {
			a.Acked = l.At
		}
	case "told":
		a.Replies = append(a.Replies,
			reply{At: l.At, Outcome: l.Outcome, Code: l.Code, Run: l.Run, Source: l.Source, Says: l.Says})
	case "gave-up":
		a.GaveUp = l.Err
	}
}

// ReadCalls reads a practice gateway's log.
func (t *Evidence) ReadCalls(page string) error {
	answer, err := http.Get(page + "/calls") //nolint:noctx // it is this test bed's own, on loopback
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
