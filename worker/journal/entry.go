// Entries: what a member decided, one kind of struct for each kind of decision.

package journal

import (
	"encoding/hex"
	"time"
)

// Entry is one decision in a batch: [*Ask], [*Begin], [*Answer], [*Settled], [*Told], [*Seal],
// [*Forget], [*Carried], or [*Skipped] where this reader does not know the kind and need not.
// Nobody changes an entry once it is in a batch.
type Entry interface {
	Kind() Kind
	// fields takes the entry's fields in their order.
	fields(c *coder)
}

// Kind is an entry's first byte. A reader that does not know a kind below [SkippableKind] leaves,
// see [ErrNewer]; one from there on it passes over.
type Kind uint8

// The kinds of entries. Their numbers lie in journals and never change.
const (
	KindAsk     Kind = 1
	KindBegin   Kind = 2
	KindAnswer  Kind = 3
	KindSettled Kind = 4
	KindTold    Kind = 5
	KindSeal    Kind = 6
	KindForget  Kind = 7
	KindCarried Kind = 8

	// SkippableKind is the first kind that a reader may pass over without knowing it.
	SkippableKind Kind = 128
)

// Ask is one query of one asker, journalled by the door that took it: from here on it is answered.
type Ask struct {
	// Token is the identity of this arrival. Two entries with one token are one ask, and the first
	// in the log counts.
	Token string
	// Key is what the ask is about, Question the hash of all that it asks, so that one key with
	// another question is a conflict.
	Key      Key
	Question Hash
	// Query is the encoded query, opaque here.
	Query []byte
	// Reply is the subject that the reply is published on; "" where nobody waits for one.
	Reply string
	// Encoding is that of the reply, opaque here.
	Encoding uint8
	Door     Door
	// Partner is under whose contract the gateway is asked; Asker is who shares slots fairly with
	// others, "" the common bucket.
	Partner, Asker string
	// ID is the keyed hash of asker and the asker's own id, by which a later arrival recalls what
	// is final; zero where there is none.
	ID Hash
	// Persons are the keyed hashes of the people that the query names, by which they are forgotten;
	// zero where there is none.
	Persons [2]Hash
	// Given says that the asker gave the key, so that its answer is remembered for the whole
	// window, whatever MaxAge.
	Given bool
	// Left is the time that remained until the asker's deadline when the ask was given to the
	// writer, in whole milliseconds; 0: no deadline, a single one: it had passed, see [Ask.Late].
	Left time.Duration
	// MaxAge is the greatest age that a remembered answer may have, in whole milliseconds; below 0:
	// any.
	MaxAge time.Duration
	// Trace is the asker's traceparent, or "".
	Trace string
	// Near is of what its sender may have stored more than once; zero where that has one token only.
	Near Near
}

// Near tells copies of one ask that have two tokens: time is cut into pieces, and each piece has a
// token of its own for what is stored in it. Two are one ask where less than a piece lies between
// them.
type Near struct {
	// Earlier and Later are of the tokens that the ask would have in the piece before and after,
	// see [TokenOf]; zero where there is none.
	Earlier, Later Hash
	// Into is how far into its piece it was stored, in whole milliseconds.
	Into time.Duration
}

// TokenOf is the token of what is known by a hash.
func TokenOf(h Hash) string { return "m" + hex.EncodeToString(h[:]) }

// Late reports whether the asker's deadline had passed when the ask was given to the writer, or was
// about to: no call is made for it.
func (a *Ask) Late() bool { return 0 < a.Left && a.Left <= time.Millisecond }

// Door is how an ask came in.
type Door uint8

// The doors. The zero Door is of no ask.
const (
	// Await is a request whose asker waits for the reply.
	Await Door = 1
	// Submit is a message in the stream of submitted asks, acknowledged there once the ask is
	// journalled.
	Submit Door = 2
)

// Begin says that a call of the gateway may now have been made: no call is without one.
type Begin struct {
	Key Key
	// Run is the identity of what answers the key: the attempts of one flight share it, one after a
	// cut has its own.
	Run string
	// Attempt counts the calls for one question from 1 on, over runs and members, those whose
	// member died included.
	Attempt int
	// Deaths is how many runs before this one were cut by the death of their member.
	Deaths int
	// Before is what attempt Attempt-1 came to; zero in the first one, and where its member died
	// over it.
	Before Outcome
	// Partner is that of the ask.
	Partner string
	// Asked is the ask that set the call off.
	Asked Ref
	// Follows is the run that was cut, "" in a first begin and in a further attempt of the same
	// run. The begin is void if that run is no longer the key's open one at the begin's own
	// position.
	Follows string
}

// Outcome is what one call came to.
type Outcome struct {
	// Code is the code that an asker is given of it, "" where there was none.
	Code string
	// Detail is what the query log shows of the call, opaque here.
	Detail []byte
}

// Answer ends a run. It counts only if the run is its key's open one at the answer's position.
type Answer struct {
	Key      Key
	Question Hash // of the asks that it answers
	Run      string
	Verdict  Verdict
	// Result is the encoded Result that askers are given, opaque here; nil where the run was
	// released.
	Result []byte
	// Code is the code in Result, "" where it has none.
	Code string
	// Attempts are the outcomes that no begin in the log holds: of the last attempt as a rule, in a
	// carried answer whose run is not yet logged of all of them. There are at most [MaxAttempts].
	Attempts []Outcome
	// Keep is how long the answer is remembered, or how long the cool-down lasts, in whole
	// milliseconds.
	Keep time.Duration
	// Partner is that of the run, Begun the run's first begin: an ask before it, or while it was
	// open, is served whatever its MaxAge.
	Partner string
	Begun   Ref
	// Final are the asks that a [Crashed] run settles, for good also when they come again; later
	// ones begin anew. There are at most [MaxFinal]: more are settled before the answer, see
	// [Settled].
	Final []Final
	// Persons are those of the asks, by which the answer is forgotten.
	Persons [2]Hash
}

// Final is an ask whose answer stays what it is.
type Final struct {
	Token string
	ID    Hash
}

// Verdict is what an answer means to a key.
type Verdict uint8

// The verdicts. The zero Verdict is of no answer.
const (
	// Conclusive is the gateway's word: it is remembered for Keep.
	Conclusive Verdict = 1
	// Failed is no answer of the gateway: the key cools down for Keep.
	Failed Verdict = 2
	// Crashed is the end of a run whose member died and that is not run again: final for the asks
	// in Final.
	Crashed Verdict = 3
	// Released says that the begin's call was never sent: the key is free at once, and whoever
	// waits goes on waiting.
	Released Verdict = 4
)

// Settled says what asks are given that no answer of a run under way settles. The owner of their
// key writes it.
type Settled struct {
	// Asks are asks of one key. There are at most [MaxRefs].
	Asks []Ref
	// Run is the remembered run that answers them and Answer its answer. Both are zero where Why
	// says why there is none.
	Run    string
	Answer Ref
	// Why is the code that they are given instead: of a deadline, a conflict, a halt, a person
	// forgotten, a crash. Opaque here.
	Why string
}

// Told says that what was owed because of entries is done: an ask's reply and line, an answer's
// event, line and dead letter.
type Told struct {
	// Entries are the asks and answers. There are at most [MaxRefs].
	Entries []Ref
	// Tokens are those of told asks whose entries the log holds no more. Only a carried one has
	// them.
	Tokens []string
}

// Seal is the last entry of its member, whose subject it lies on: nothing after it counts. Where
// another wrote it, it is alone in its batch, and that batch's Read is the sealer's.
type Seal struct {
	By  Member // the sealed member itself or another
	Why string // for people
}

// Forget says that a person is to be forgotten: the open asks that name it are settled, and its
// answers dropped as the tail is carried on.
type Forget struct{ Person Hash }

// Carried is an entry of the log's tail, written again so that the tail can be purged. It is what
// it was: at its first place, by its first writer, and as old as it is. An entry that is there
// already is not replaced.
type Carried struct {
	// First is the entry's first place, and Writer the member whose batch that was.
	First  Ref
	Writer Member
	// Age is how long ago it was stored when it was carried, in whole milliseconds, by the
	// carrier's count.
	Age time.Duration
	// Entry is an ask, a begin, an answer, a settled or a told.
	Entry Entry
}

// Skipped is an entry of a kind that this reader does not know and may pass over.
type Skipped struct {
	Of   Kind
	Body []byte
}

// Kind implements [Entry].
func (*Ask) Kind() Kind { return KindAsk }

// Kind implements [Entry].
func (*Begin) Kind() Kind { return KindBegin }

// Kind implements [Entry].
func (*Answer) Kind() Kind { return KindAnswer }

// Kind implements [Entry].
func (*Settled) Kind() Kind { return KindSettled }

// Kind implements [Entry].
func (*Told) Kind() Kind { return KindTold }

// Kind implements [Entry].
func (*Seal) Kind() Kind { return KindSeal }

// Kind implements [Entry].
func (*Forget) Kind() Kind { return KindForget }

// Kind implements [Entry].
func (*Carried) Kind() Kind { return KindCarried }

// Kind implements [Entry].
func (s *Skipped) Kind() Kind { return s.Of }
