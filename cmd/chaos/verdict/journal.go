//go:build unix

// The workers' journal (W3), read by separate code: from a message's bytes to a plain list of
// decisions.

package verdict

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
)

// Chronicle is the content of one life of the journal.
type Chronicle struct {
	Batches []Batch
	Corrupt []string // damaged batches
	Missed  []string // positions that were purged before they were read
}

// place is the place of an entry: the sequence of its message, and its index there, from 1 on.
type place struct {
	Position uint64
	Index    int
}

// Kinds of entries, by their numbers in the bytes.
const (
	anAsk     = 1
	aBegin    = 2
	anAnswer  = 3
	aSettled  = 4
	aTold     = 5
	aSeal     = 6
	aForget   = 7
	aCarried  = 8
	skippable = 128 // from here on a reader may ignore it
)

// Verdicts of an answer.
const (
	conclusive = 1 // the gateway's answer
	failed     = 2 // no answer of the gateway: the key cools down
	crashed    = 3 // the end of a run whose member died, final for those it names
	released   = 4 // the call was never sent
)

// Doors of an ask.
const (
	byAwait  = 1
	bySubmit = 2
)

// entry is one decision. Which fields are set depends on its kind. Keys and hashes are in
// hexadecimal, times in milliseconds unless said otherwise.
type entry struct {
	At     place
	Stored int64  // unix microseconds, by the server's clock
	Member string // of the batch's subject
	Number uint64 // of its batch
	Read   uint64 // the position that the batch's writer had applied
	Kind   int    // for a carried entry: the kind of what is carried

	// For a carried entry: its first place, its member, and how long before.
	Carried bool
	First   place
	Writer  string
	Age     int64

	Key, Question   string // ask, answer; begin: Key alone
	Token           string // ask
	Query           []byte // ask
	Reply           string // ask
	Encoding        int    // ask
	Door            int    // ask
	Partner, Asker  string // ask; begin and answer: Partner alone
	ID              string // ask
	Persons         [2]string
	Given           bool  // ask
	Left            int64 // ask: until its deadline; 0: none
	MaxAge          int64 // ask; -1: any
	Trace           string
	Near            [2]string // ask: the tokens of the pieces of time before and after
	Into            int64     // ask: how far into its own piece it was submitted
	Run             string    // begin, answer, settled
	Attempt, Deaths int       // begin
	Before          string    // begin: the code of the attempt before
	Asked           place     // begin
	Follows         string    // begin
	Verdict         int       // answer
	Result          []byte    // answer
	Code            string    // answer
	Attempts        []string  // answer: the codes of those that no begin tells
	Keep            int64     // answer
	Begun           place     // answer
	Final           []string  // answer: tokens
	Entries         []place   // settled: asks; told: asks and answers
	Tokens          []string  // told
	Answer          place     // settled
	Why             string    // settled, seal
	By              string    // seal
	Person          string    // forget
}

// Batch is one message: its head, and how many entries it has.
type Batch struct {
	Position uint64
	Stored   int64
	Member   string
	Number   uint64
	Read     uint64
	Entries  []entry
}

var (
	errSum    = errors.New("its CRC32C is wrong")
	errFormat = errors.New("its format is unknown")
)

// Stored is a message of the stream JOURNAL.
type Stored struct {
	Position uint64
	At       int64 // unix microseconds
	Member   string
	Data     []byte
}

// OpenBatch reads a message: one byte of format, four of CRC32C over everything but these four, the
// head, and the entries.
func OpenBatch(m Stored) (b Batch, err error) {
	b = Batch{Position: m.Position, Stored: m.At, Member: m.Member}
	if len(m.Data) < 5 {
		return b, errShort
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, _ = sum.Write(m.Data[:1])
	_, _ = sum.Write(m.Data[5:])
	if sum.Sum32() != binary.BigEndian.Uint32(m.Data[1:5]) {
		return b, errSum
	}
	if m.Data[0] != 1 {
		return b, errFormat
	}
	all := &packed{rest: m.Data[5:]}
	head := &packed{rest: all.bytes()}
	if layout := head.number(); all.err == nil && head.err == nil && layout != 1 {
		return b, fmt.Errorf("its layout is %d", layout)
	}
	b.Number, b.Read = uint64(head.number()), uint64(head.number())
	if err := errors.Join(all.err, head.err); err != nil {
		return b, fmt.Errorf("head: %w", err)
	}
	for len(all.rest) > 0 {
		kind, body := int(all.number()), &packed{rest: all.bytes()}
		if all.err != nil {
			return b, fmt.Errorf("entry %d: %w", len(b.Entries)+1, all.err)
		}
		e := entry{At: place{b.Position, len(b.Entries) + 1}, Stored: b.Stored, Member: b.Member, Number: b.Number,
			Read: b.Read, Kind: kind}
		if err := e.read(body); err != nil {
			return b, fmt.Errorf("entry %d of kind %d: %w", e.At.Index, kind, err)
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}

// read reads the fields of an entry of e's kind. Fields after the known ones are from a newer
// writer.
func (e *entry) read(p *packed) error {
	switch e.Kind {
	case anAsk:
		e.readAsk(p)
	case aBegin:
		e.Key, e.Run = hash(p), p.text()
		e.Attempt, e.Deaths = int(p.number()), int(p.number())
		e.Before, _ = p.text(), p.bytes()
		e.Partner, e.Asked, e.Follows = p.text(), e.place(p), p.text()
	case anAnswer:
		e.readAnswer(p)
	case aSettled:
		e.Entries = e.places(p)
		e.Run, e.Answer, e.Why = p.text(), e.place(p), p.text()
	case aTold:
		e.Entries = e.places(p)
		for range p.list() {
			e.Tokens = append(e.Tokens, p.text())
		}
	case aSeal:
		e.By, e.Why = p.text(), p.text()
	case aForget:
		e.Person = hash(p)
	case aCarried:
		return e.readCarried(p)
	default:
		if e.Kind < skippable {
			return errors.New("is unknown")
		}
	}
	return p.err
}

func (e *entry) readAsk(p *packed) {
	e.Token, e.Key, e.Question = p.text(), hash(p), hash(p)
	e.Query, e.Reply = p.bytes(), p.text()
	e.Encoding, e.Door = int(p.number()), int(p.number())
	e.Partner, e.Asker, e.ID = p.text(), p.text(), hash(p)
	e.Persons = [2]string{hash(p), hash(p)}
	e.Given, e.Left, e.MaxAge = p.flag(), p.number(), -1
	if p.flag() {
		e.MaxAge = p.number()
	}
	e.Trace = p.text()
	if len(p.rest) > 0 { // from a version that has it, if it may have been submitted twice
		e.Near, e.Into = [2]string{"m" + hash(p), "m" + hash(p)}, p.number()
	}
}

func (e *entry) readAnswer(p *packed) {
	e.Key, e.Question, e.Run = hash(p), hash(p), p.text()
	e.Verdict, e.Result, e.Code = int(p.number()), p.bytes(), p.text()
	for range p.list() {
		e.Attempts = append(e.Attempts, p.text())
		p.bytes()
	}
	e.Keep, e.Partner, e.Begun = p.number(), p.text(), e.place(p)
	for range p.list() {
		e.Final = append(e.Final, p.text())
		hash(p)
	}
	e.Persons = [2]string{hash(p), hash(p)}
}

// readCarried makes e the carried entry.
func (e *entry) readCarried(p *packed) error {
	e.First, _ = offset(p, 0)
	e.Carried, e.Writer, e.Age = true, p.text(), p.number()
	if e.Kind = int(p.number()); e.Kind < anAsk || e.Kind > aTold {
		return errors.Join(p.err, fmt.Errorf("carries kind %d", e.Kind))
	}
	return e.read(p)
}

// hash reads 16 bytes, or none if there is no hash.
func hash(p *packed) string { return hex.EncodeToString(p.bytes()) }

// offset reads a place written as its distance from a position. No place has the index 0.
func offset(p *packed, from uint64) (at place, ok bool) {
	at = place{Position: uint64(int64(from) + p.number()), Index: int(p.number())}
	if at.Index == 0 {
		return place{}, false
	}
	return at, true
}

// place reads one place. Position 0 is that of the batch itself.
func (e *entry) place(p *packed) place {
	at, ok := offset(p, 0)
	if ok && at.Position == 0 {
		at.Position = e.At.Position
	}
	return at
}

// places reads several places, each by its distance from the one before.
func (e *entry) places(p *packed) (all []place) {
	from := uint64(0)
	for range p.list() {
		at, ok := offset(p, from)
		if !ok && p.err == nil {
			p.err = errors.New("a place of nothing")
		}
		if from = at.Position; from == 0 {
			at.Position = e.At.Position
		}
		all = append(all, at)
	}
	return all
}
