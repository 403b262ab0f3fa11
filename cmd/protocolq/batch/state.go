// The state of a batch on disk: which lines were asked, and what they were answered.

package batch

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// maxLines bounds what a state remembers of its lines in memory, 16 bytes each.
const maxLines = 10_000_000

// State is a file of JSON lines: a head, and then two records for each line of the batch: before it
// is asked, that it will be, and before its answer is printed, that answer. A method that returns
// has written to disk, so that a killed process leaves at most its window in doubt.
type State struct {
	batch string
	file  *os.File
	lines []known // by number; only OpenState writes it and cut
	cut   int64

	mu      sync.Mutex // guards waiting
	waiting *commit
	disk    sync.Mutex // held while a commit is written; guards failed
	failed  error      // of a write: after half of a line nothing more could be read
}

// known is what the state has about one line. The zero value: nothing.
type known struct {
	question uint64 // beginning of its hash
	answer   int64  // where its answer begins in the file; 0: it was asked, or nothing
}

// commit is what is written and synced together.
type commit struct {
	data []byte
	done bool
	err  error
}

var errNoState = errors.New("this is not the state of a batch")

// head is the first line.
type head struct {
	V     int    `json:"protocolq_batch"`
	Batch string `json:"batch"` // the beginning of the ids of lines that have none
	Door  string `json:"door"`  // query or submit
}

// record is every other line. Without a result, it says that the line is about to be asked.
type record struct {
	Line     int             `json:"line"`
	Question uint64          `json:"question,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
}

// OpenState opens or makes the state of a batch at that door. It locks the file until it is closed.
func OpenState(path, door, batch string) (*State, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	s := &State{file: f, batch: batch, waiting: &commit{}}
	if err = cli.Lock(f); err == nil {
		err = s.read(door)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("the state %s: %w", path, err)
	}
	return s, nil
}

// Close closes the file. Nothing may be written afterwards.
func (s *State) Close() error { return s.file.Close() }

// Batch is the beginning of the ids of lines that have none.
func (s *State) Batch() string { return s.batch }

// Cut is how many bytes at the end of the file were not whole lines, and were cut off.
func (s *State) Cut() int64 { return s.cut }

// read takes in what is there. A write that the process's death interrupted is half a line, or NULs
// after a power cut: it had no effect yet, and is cut off.
func (s *State) read(door string) error {
	in, at := bufio.NewReaderSize(s.file, maxLine), int64(0)
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		switch whole := err == nil; {
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull):
			return err
		case number == 1 && whole:
			err = s.readHead(line, door)
		case number == 1 && errors.Is(err, io.EOF):
			if err = s.empty(line); err == nil {
				return s.begin(door)
			}
		case whole && bytes.IndexByte(line, 0) < 0:
			err = s.readRecord(line, at)
		case number > 1 && (errors.Is(err, io.EOF) || bytes.IndexByte(line, 0) >= 0):
			return s.end(at)
		case number == 1:
			err = errNoState
		default:
			err = errors.New("is too long for a line of a state file")
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		at += int64(len(line))
	}
}

// headBegins is how every state begins.
const headBegins = `{"protocolq_batch":`

// empty cuts off a head that was never written completely. Any other file is foreign, and is not
// changed.
func (s *State) empty(line []byte) error {
	first := bytes.TrimRight(line, "\x00")
	if n := min(len(first), len(headBegins)); string(first[:n]) != headBegins[:n] || bytes.IndexByte(first, 0) >= 0 {
		return errNoState
	}
	return s.end(0)
}

// end makes the file end there.
func (s *State) end(at int64) error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if s.cut = info.Size() - at; s.cut == 0 {
		return nil
	}
	return s.file.Truncate(at)
}

// begin writes the head of a new state.
func (s *State) begin(door string) error {
	data, err := json.Marshal(head{V: 1, Batch: s.batch, Door: door})
	if err != nil {
		return err
	}
	return s.write(data)
}

func (s *State) readHead(line []byte, door string) error {
	var h head
	switch err := json.Unmarshal(line, &h); {
	case err != nil || h.V == 0:
		return errNoState
	case h.V != 1:
		return fmt.Errorf("has version %d; this program reads version 1", h.V)
	case h.Door != door:
		return fmt.Errorf("belongs to a batch of %s, not of %s", h.Door, door)
	}
	s.batch = h.Batch
	return nil
}

func (s *State) readRecord(line []byte, at int64) error {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	if r.Line < 1 || r.Line > maxLines {
		return fmt.Errorf("is for line %d; a batch has at most %d", r.Line, maxLines)
	}
	for len(s.lines) <= r.Line {
		s.lines = append(s.lines, known{})
	}
	k := &s.lines[r.Line]
	if r.Result == nil {
		*k = known{question: r.Question}
		return nil
	}
	k.answer = at
	return nil
}

// Known says what an earlier run did with a line: whether it was asked, and its answer if it has
// one. The error says that another question was asked in that line.
func (s *State) Known(l Line) (r messages.Result, asked, answered bool, err error) {
	if l.Number >= len(s.lines) || s.lines[l.Number] == (known{}) {
		return r, false, false, nil
	}
	k := s.lines[l.Number]
	if k.question != questionOf(l.Query) {
		return r, true, false,
			cli.Usage("line %d is not what was asked before: the file or a flag is another, or the file was changed",
				l.Number)
	}
	if k.answer == 0 {
		return r, true, false, nil
	}
	line, err := bufio.NewReader(io.NewSectionReader(s.file, k.answer, maxLine)).ReadBytes('\n')
	var stored record
	if err == nil {
		err = json.Unmarshal(line, &stored)
	}
	if err == nil {
		r, _, err = messages.DecodeResult(stored.Result, string(messages.JSON))
	}
	if err != nil {
		return r, true, false, fmt.Errorf("read the answer to line %d from the state: %w", l.Number, err)
	}
	return r, true, true, nil
}

// questionOf tells one question from another.
func questionOf(q messages.Query) uint64 {
	data, _ := q.Encode(messages.JSON) // a query that can be asked is always encoded
	sum := sha256.Sum256(data)
	return binary.BigEndian.Uint64(sum[:]) | 1 // never 0
}

// Asking says that a line is about to be asked.
func (s *State) Asking(l Line) error {
	return s.record(record{Line: l.Number, Question: questionOf(l.Query)})
}

// Answered records a line's answer.
func (s *State) Answered(l Line, r messages.Result) error {
	data, err := r.Encode(messages.JSON)
	if err != nil {
		return err
	}
	return s.record(record{Line: l.Number, Result: data})
}

func (s *State) record(r record) error {
	if r.Line > maxLines {
		return fmt.Errorf("line %d: a batch with a state has at most %d lines", r.Line, maxLines)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.write(data)
}

// write returns once data is on disk as a line. Calls that come while another writes wait for the
// next write, which takes all of them.
func (s *State) write(data []byte) error {
	s.mu.Lock()
	c := s.waiting
	c.data = append(append(c.data, bytes.TrimSpace(data)...), '\n')
	s.mu.Unlock()
	s.disk.Lock()
	defer s.disk.Unlock()
	if c.done {
		return c.err
	}
	s.mu.Lock()
	s.waiting = &commit{}
	s.mu.Unlock()
	if s.failed == nil {
		if _, s.failed = s.file.Write(c.data); s.failed == nil {
			s.failed = s.file.Sync()
		}
	}
	if c.done = true; s.failed != nil {
		c.err = fmt.Errorf("write the state: %w", s.failed)
	}
	return c.err
}
