// The two kinds of lines of the query log: a run of the gateway, and one ask for its answer.

// Package querylog is the record of every query, and its way into a database.
//
//	worker ── Run, Ask ──► Publisher (masks) ──► stream LOG ── Recorder ──► a Writer, which is a database
//
// A worker gives its lines to a Publisher, or to Discard if there is no query log, and never waits
// for the database. The Recorder reads the stream, writes whole batches and acknowledges after the
// commit, so that the stream keeps the lines while the database is unavailable. A line may come
// twice; a Writer keeps the first.
//
// A line has no field that could hold a raw e-mail address, account number or
// key: those are a Masked, which only a Hasher makes.
//
//	line, err := querylog.Run{
//		ID: run, At: begun, Key: h.Key(q.KeyToken()), Partner: q.Partner,
//		Email: h.Email(q.UserEmail), Account: h.Account(q.AccountNo),
//		Outcome: "signed", AnsweredAt: now, Attempts: attempts,
//	}.Encode()
package querylog

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"protocolq/worker/pack"
)

// Bounds of one line. They keep a slip in one process from becoming a row that
// no database takes.
const (
	MaxLine     = 64 << 10 // bytes of one message
	MaxAttempts = 128      // calls of one run
	MaxAsks     = 500      // asks in one message
	MaxRuns     = 500      // runs in one message
)

// Line is one message for the stream LOG.
type Line struct {
	MsgID string // the Nats-Msg-Id: the same line sent twice is stored once
	Data  []byte
}

// Run is one run of a key: its calls of the gateway and what they came to.
type Run struct {
	// ID is the identity of the run, and of its row.
	ID string
	// At is when the run began. It must be the same in each line of the run, so take it from the
	// journal, not from the clock: PostgreSQL keeps a row in the month of its At, and an ID is
	// found twice only within a month.
	At         time.Time
	AnsweredAt time.Time // when the answer was stored
	Key        Masked    // of the key token
	Partner    string
	Email      Masked
	Account    Masked
	Outcome    string
	Code       string
	Class      string // of the code
	Debit      *bool  // charge_agent; nil when not given
	Refund     *bool  // refund_charge
	Verified   string
	Worker     string // who stored the answer
	Deaths     int    // owners of the key that fell silent over it before
	Attempts   []Attempt
}

// Attempt is one call of the gateway.
type Attempt struct {
	At                                        time.Time
	DNS, Connect, TLS, FirstByte, Body, Total time.Duration // microseconds are kept
	Code, Class                               string        // of what came back; Class is empty for an answer
	HTTPStatus, Bytes                         int
	Reused                                    bool // on a connection that was there
	// Cut is true of a call whose worker died or froze: when it began is known,
	// what came of it is not.
	Cut bool
	// ContentType is that of an answer that nobody could read, masked; "" of any other.
	ContentType string
}

// Ask is one asker's query and its answer.
type Ask struct {
	// Token is the ask token, the identity of the arrival and of its row.
	Token string
	// At is when the ask arrived: of one in the journal, its time there. As with Run.At it must not
	// differ between two lines of one ask.
	At         time.Time
	AnsweredAt time.Time
	Request    RequestID // the asker's own id
	Run        string    // whose answer it got; "" when there was none
	// Key is that of a key the asker gave; leave it zero for one derived from the
	// question, as the e-mail and the account find that.
	Key     Masked
	Partner string // one of the fleet's; "" of any other, or strangers would make sums without end
	Email   Masked
	Account Masked
	Source  string // asked, joined, remembered; "" when there was no run
	Door    string // query, submit
	Subject string // it came by; tokens that may be personal are left out of the line
	Reply   string // subject it was answered on; the line keeps its first tokens only
	Outcome string
	Code    string
	Trace   string // a traceparent or a trace id of 32 hex digits
	Field   string // of a refusal: messages.Error.QueryField
}

// Batch is what comes into a database at once.
type Batch struct {
	Runs []Run
	Asks []Ask
	// Rejected are messages of the stream that are no lines: that they were there
	// is kept, what they held is not.
	Rejected []Rejected
}

// Rejected is a message of the stream that could not be read or stored.
type Rejected struct {
	At      time.Time // when the stream got it
	Stream  uint64    // its sequence in the stream
	Subject string
	Size    int
	Reason  string
}

// Rows is how many rows the batch makes.
func (b *Batch) Rows() int { return len(b.Runs) + len(b.Asks) + len(b.Rejected) }

// rows are as many batches of one row.
func (b *Batch) rows() []Batch {
	all := make([]Batch, 0, b.Rows())
	for i := range b.Runs {
		all = append(all, Batch{Runs: b.Runs[i : i+1]})
	}
	for i := range b.Asks {
		all = append(all, Batch{Asks: b.Asks[i : i+1]})
	}
	for i := range b.Rejected {
		all = append(all, Batch{Rejected: b.Rejected[i : i+1]})
	}
	return all
}

// Encode makes the line of a run.
func (r Run) Encode() (Line, error) {
	return r.encode(&codec{writing: true})
}

// encode writes the run behind what c has written.
func (r *Run) encode(c *codec) (Line, error) {
	if err := checkIdentity("run", r.ID, r.At); err != nil {
		return Line{}, err
	}
	if len(r.Attempts) > MaxAttempts {
		return Line{}, fmt.Errorf("encode run %s: %d attempts, at most %d", r.ID, len(r.Attempts), MaxAttempts)
	}
	from := len(c.out)
	c.object(func() { r.fields(c) })
	if n := len(c.out) - from; n > MaxLine {
		return Line{}, fmt.Errorf("encode run %s: %d bytes, at most %d", r.ID, n, MaxLine)
	}
	return Line{MsgID: r.ID, Data: c.out[from:len(c.out):len(c.out)]}, nil
}

// encodeRuns makes a line of each run, one behind the other in what c has written. A run that
// cannot be encoded is left out.
func encodeRuns(runs []Ran, c *codec) (lines []Line, faults []error) {
	for i := range runs {
		line, err := runs[i].Run.encode(c)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		lines = append(lines, line)
	}
	return lines, faults
}

// Encode makes the line of one ask.
func (a Ask) Encode() (Line, error) {
	lines, err := EncodeAsks([]Ask{a})
	if err != nil {
		return Line{}, err
	}
	return lines[0], nil
}

// JoinRuns makes as few lines of many runs' lines as the bounds of a message allow.
func JoinRuns(runs []Line) []Line {
	if len(runs) == 1 {
		return runs
	}
	var lines []Line
	var list [][]byte
	size := 0
	for i, r := range runs {
		list = append(list, r.Data)
		size += len(r.Data)
		if i+1 == len(runs) || len(list) == MaxRuns || size+len(runs[i+1].Data)+8 > MaxLine {
			lines = append(lines, joined(runs[i+1-len(list)].MsgID, list))
			list, size = list[:0], 0
		}
	}
	return lines
}

// listHead is more than the head of a list takes.
const listHead = 8

// joined is one line of many. Its identity is that of all it holds: with the first one's, the
// server would drop the others where the first was told before, alone or in other company.
func joined(first string, list [][]byte) Line {
	size := listHead
	for _, item := range list {
		size += len(item)
	}
	l := Line{MsgID: first, Data: pack.AppendList(make([]byte, 0, size), len(list))}
	for _, item := range list {
		l.Data = append(l.Data, item...)
	}
	if len(list) > 1 {
		l.MsgID = ofMany(first, l.Data)
	}
	return l
}

// halvesOfRuns are two lines that together hold the runs of one; none where that holds one run.
func halvesOfRuns(l Line) []Line {
	runs, err := DecodeRuns(l.Data)
	if err != nil || len(runs) < 2 {
		return nil
	}
	lines := make([]Line, len(runs))
	for i, r := range runs {
		if lines[i], err = r.Encode(); err != nil {
			return nil
		}
	}
	half := len(lines) / 2
	return append(JoinRuns(lines[:half]), JoinRuns(lines[half:])...)
}

func ofMany(first string, data []byte) string {
	sum := fnv.New64a()
	_, _ = sum.Write(data)
	return fmt.Sprintf("%s~%016x", first, sum.Sum64())
}

// The years a line may be of. They keep a clock that was never set from making
// partitions and hours that nobody looks at.
var (
	earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

func checkIdentity(kind, id string, at time.Time) error {
	switch {
	case id == "" || len(id) > maxID || clean(id, maxID) != id:
		return fmt.Errorf("encode %s: its identity must be 1 to %d bytes of text, not %.80q", kind, maxID, id)
	case at.Before(earliest) || !at.Before(latest):
		return fmt.Errorf("encode %s %s: its time %s is out of range", kind, id, at.UTC().Format(time.RFC3339))
	}
	return nil
}

// DecodeRun reads a run's line, strictly: it was made by Encode or is refused.
// Names it does not know are passed over, as a newer worker may send more.
func DecodeRun(data []byte) (Run, error) {
	c, err := newReading(data)
	if err != nil {
		return Run{}, fmt.Errorf("read run: %w", err)
	}
	var r Run
	c.object(func() { r.fields(c) })
	if err := c.end(); err != nil {
		return Run{}, fmt.Errorf("read run: %w", err)
	}
	return r, checkIdentity("run", r.ID, r.At)
}

// DecodeRuns reads the line of one or more runs, with the same strictness.
func DecodeRuns(data []byte) ([]Run, error) {
	if len(data) > 0 && data[0] != pack.ListHead {
		r, err := DecodeRun(data)
		return []Run{r}, err
	}
	c, err := newReading(data)
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	c.words = words{}
	n := c.list(MaxRuns)
	runs := make([]Run, n)
	for i := range runs {
		c.object(func() { runs[i].fields(c) })
		if c.err == nil {
			c.err = checkIdentity("run", runs[i].ID, runs[i].At)
		}
	}
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	if n == 0 {
		return nil, errors.New("read runs: there is none")
	}
	return runs, nil
}
