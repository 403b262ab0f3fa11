// The two kinds of lines of the query log: a run of the gateway, and one ask for its answer.

// Package querylog is the record of every query, and its way into a database.
//
//	worker ── Run, Ask ──► Publisher (masks) ──► stream LOG ── Recorder ──► a Writer, which is a database
//
// A worker gives its lines to a Publisher, or to Discard if there is no query log, and never waits
// for the database. The Recorder reads the stream, writes whole batches and acknowledges them after
// the commit, so that the stream keeps the lines while the database is unavailable. A line may come
// twice; a Writer keeps the first.
//
// A line has no field for a raw e-mail address, account number or key: those are a Masked, which
// only a Hasher makes.
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

// Bounds of one line. They keep a mistake in one process from becoming a row that no database
// takes.
const (
	MaxLine     = 64 << 10 // bytes of one message
	MaxAttempts = 128      // calls of one run
	MaxAsks     = 500      // asks in one message
	MaxRuns     = 500      // runs in one message
)

// Line is one message for the stream LOG.
type Line struct {
	MsgID string // the Nats-Msg-Id: a line that is sent twice is stored once
	Data  []byte
}

// Run is one run of a key: its calls of the gateway and their result.
type Run struct {
	// ID is the identity of the run, and of its row.
	ID string
	// At is when the run began. It must be the same in each line of the run, so take it from the
	// journal, not from the clock: PostgreSQL keeps a row in the month of its At, and detects a
	// duplicate ID only within a month.
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
	Worker     string // the member that stored the answer
	Deaths     int    // owners of the key that died during the run
	Attempts   []Attempt
}

// Attempt is one call of the gateway.
type Attempt struct {
	At                                        time.Time
	DNS, Connect, TLS, FirstByte, Body, Total time.Duration // microseconds are kept
	Code, Class                               string        // of the response; Class is empty for an answer
	HTTPStatus, Bytes                         int
	Reused                                    bool // on an existing connection
	// Cut says that the worker of the call died or froze: the start of the call is known, its result
	// is not.
	Cut bool
	// ContentType is that of an unreadable response, masked; "" for any other.
	ContentType string
}

// Ask is one asker's query and its answer.
type Ask struct {
	// Token is the ask token, the identity of the arrival and of its row.
	Token string
	// At is when the ask arrived; for an ask in the journal, its time there. As with Run.At it must be
	// the same in all lines of the ask.
	At         time.Time
	AnsweredAt time.Time
	Request    RequestID // the asker's own id
	Run        string    // the run that answered it; "" if none
	// Key is the key that the asker gave. Leave it zero for a derived key, as the e-mail and the
	// account find that ask.
	Key     Masked
	Partner string // one of the fleet's, otherwise "": foreign partners would make sums without bound
	Email   Masked
	Account Masked
	Source  string // asked, joined, remembered; "" if there was no run
	Door    string // query, submit
	Subject string // of its message; the line leaves out tokens that may be personal
	Reply   string // subject of the reply; the line keeps only its first tokens
	Outcome string
	Code    string
	Trace   string // a traceparent or a trace id of 32 hex digits
	Field   string // of a refusal: messages.Error.QueryField
}

// Batch is what is written into a database at once.
type Batch struct {
	Runs []Run
	Asks []Ask
	// Rejected are messages of the stream that are not lines. That they existed is kept, their content
	// is not.
	Rejected []Rejected
}

// Rejected is a message of the stream that could not be read or stored.
type Rejected struct {
	At      time.Time // when the stream received it
	Stream  uint64    // its sequence in the stream
	Subject string
	Size    int
	Reason  string
}

// Rows is the number of rows of the batch.
func (b *Batch) Rows() int { return len(b.Runs) + len(b.Asks) + len(b.Rejected) }

// rows returns the batch as batches of one row each.
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

// encode appends the run to what c has written.
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

// encodeRuns makes a line of each run, one after another in c's buffer. It leaves out runs that
// cannot be encoded.
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

// JoinRuns joins the lines of many runs into as few lines as the bounds of a message allow.
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

// listHead is more than the length of a list's head.
const listHead = 8

// joined is one line of many runs. Its message id covers all of them: with the id of the first one,
// the server would drop the others if the first had been published before.
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

// halvesOfRuns splits a line of runs into two; it returns none for a line of one run.
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

// The years that a line may be from. They keep a clock that was never set from making partitions
// and hours for meaningless years.
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

// DecodeRun reads a run's line strictly: it refuses anything that Encode does not write. It skips
// unknown names, as a newer worker may send more.
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

// DecodeRuns reads the line of one or more runs, equally strictly.
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
