// A file of questions, read line by line, so that its length does not matter.

package batch

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"protocolq/messages"
)

// maxLine is the longest line that is read, with all its columns.
const maxLine = 64 << 10

// byteOrderMark is what spreadsheets begin a file with.
const byteOrderMark = "\xef\xbb\xbf"

// Line is one line of a file: a question, or why it cannot be asked.
type Line struct {
	Number int             // as an editor counts, from 1
	Query  messages.Query  // with a fault: its right part
	Fault  *messages.Error // nil: it can be asked

	Recorded messages.Result // the answer in the file, see NewRecorded
}

// Reader reads the lines of a file: JSON objects with the fields of a Query, CSV with a header, or
// one account on each line. Empty lines are skipped.
type Reader struct {
	in     *bufio.Reader
	number int
	parse  func(text []byte, into *Line)
	first  []byte // a first line that is not a header

	defaults messages.Query
	batch    string
}

// NewReader reads the first line, which says how the others are written. The error names a column
// that is not known.
func NewReader(in io.Reader) (*Reader, error) { return newReader(in, false) }

// NewRecorded reads a file whose lines may also have answers: in columns with Printer's names, or
// as {"query":{…},"result":{…}}.
func NewRecorded(in io.Reader) (*Reader, error) { return newReader(in, true) }

func newReader(in io.Reader, recorded bool) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, maxLine)}
	if mark, _ := r.in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = r.in.Discard(len(byteOrderMark)) // it was just peeked at, so it is there
	}
	first, err := r.line()
	switch {
	case errors.Is(err, io.EOF):
		return r, nil
	case err != nil:
		return nil, err
	case first[0] == '{' && recorded:
		r.first, r.parse = bytes.Clone(first), parseRecorded
	case first[0] == '{':
		r.first, r.parse = bytes.Clone(first), parseJSON
	case isAccount(string(first)):
		r.first, r.parse = bytes.Clone(first), parseAccount
	default:
		header, err := newHeader(string(first), recorded)
		if err != nil {
			return nil, err
		}
		r.parse = header.parse
	}
	return r, nil
}

// Next gives the next line, or io.EOF.
func (r *Reader) Next() (Line, error) {
	line := r.first
	if r.first = nil; line == nil {
		var err error
		if line, err = r.line(); errors.Is(err, errLong) {
			return r.filled(Line{Number: r.number, Fault: fault("", "the line is longer than 64 KiB")}), nil
		} else if err != nil {
			return Line{}, err
		}
	}
	l := Line{Number: r.number}
	r.parse(line, &l)
	return r.filled(l), nil
}

// Fill sets the defaults of a line: partner, reply_to and max_age_ms, and the beginning of its id,
// which ends in the line's number.
func (r *Reader) Fill(defaults messages.Query, batch string) { r.defaults, r.batch = defaults, batch }

func (r *Reader) filled(l Line) Line {
	q := &l.Query
	q.ID = cmp.Or(q.ID, r.batch+"-"+strconv.Itoa(l.Number))
	q.Partner = cmp.Or(q.Partner, r.defaults.Partner)
	q.ReplyTo = cmp.Or(q.ReplyTo, r.defaults.ReplyTo)
	if q.Key == "" { // with one, no age may be said
		q.MaxAgeMs = cmp.Or(q.MaxAgeMs, r.defaults.MaxAgeMs)
	}
	return l
}

var errLong = errors.New("the first line is longer than 64 KiB")

// line is the next that is not empty, without the white space around it.
func (r *Reader) line() ([]byte, error) {
	for {
		line, err := r.in.ReadSlice('\n')
		if len(line) > 0 {
			r.number++
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.in.ReadSlice('\n')
			}
			return nil, errLong
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil // the next call meets an end without a newline again
		}
		if err != nil {
			return nil, err
		}
	}
}

func parseJSON(text []byte, l *Line) {
	q, _, err := messages.DecodeQuery(text, string(messages.JSON))
	l.Query, l.Fault = q, asFault(err)
}

// parseRecorded reads a query with its answer, or only a query.
func parseRecorded(text []byte, l *Line) {
	var pair struct {
		Query  json.RawMessage `json:"query"`
		Result json.RawMessage `json:"result"`
	}
	if json.Unmarshal(text, &pair) != nil || pair.Query == nil {
		parseJSON(text, l)
		return
	}
	parseJSON(pair.Query, l)
	if pair.Result != nil && l.Fault == nil {
		r, _, err := messages.DecodeResult(pair.Result, string(messages.JSON))
		l.Recorded, l.Fault = r, asFault(err)
	}
}

func asFault(err error) *messages.Error {
	fault, _ := errors.AsType[*messages.Error](err)
	return fault
}

func fault(field, reason string) *messages.Error {
	return &messages.Error{Code: messages.BadRequest, Field: field, Reason: reason}
}
