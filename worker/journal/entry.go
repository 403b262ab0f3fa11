// Entries: what a member decided, one kind of struct for each kind of decision.

package journal

import (
	"encoding/hex"
	"time"
)

// Entry is one decision in a batch: [*Ask], [*Begin], [*Answer], [*Settled], [*Told], [*Seal],
// [*Forget], [*Carried], or [*Skipped] if this reader does not know the kind and need not. An entry
// in a batch must not be changed.
type Entry interface {
	Kind() Kind
	// fields takes the entry's fields in their order.
	fields(c *coder)
}

// Kind is an entry's first byte. A reader that does not know a kind below [SkippableKind] leaves
// the fleet, see [ErrNewer]; it skips unknown kinds from there on.
type Kind uint8

// The kinds of entries. Their numbers are in journals and never change.
const (
	KindAsk     Kind = 1
	KindBegin   Kind = 2
	KindAnswer  Kind = 3
	KindSettled Kind = 4
	KindTold    Kind = 5
	KindSeal    Kind = 6
	KindForget  Kind = 7
	KindCarried Kind = 8

	// SkippableKind is the first kind that a reader may skip without knowing it.
	SkippableKind Kind = 128
)

// Ask is one query of one asker, journalled by the door that took it: from then on it will be
// answered.
type Ask struct {
	// Token is the identity of this arrival. Two entries with the same token are one ask, and the
	// first in the log counts.
	Token string
	// Key is what the ask is about, Question the hash of everything that it asks, so that the same key
	// with another question is a conflict.
	Key      Key
	Question Hash
	// Query is the encoded query, opaque here.
	Query []byte
	// Reply is the subject that the reply is published on; "" if no reply is wanted.
	Reply string
	// Encoding is that of the reply, opaque here.
	Encoding uint8
	Door     Door
	// Partner is the partner under whose contract the gateway is asked. Asker is the unit among which
	// slots are shared fairly, "" for all askers without a name.
	Partner, Asker string
	// ID is the keyed hash of asker and the asker's own id, by which a later arrival finds a final
	// answer; zero if there is none.
	ID Hash
	// Persons are the keyed hashes of the persons that the query names, by which they are forgotten;
	// zero if there is none.
	Persons [2]Hash
	// Given says that the asker gave the key, so that its answer is remembered for the whole window,
	// whatever MaxAge is.
	Given bool
	// Left is the time that remained until the asker's deadline when the ask was given to the writer,
	// in whole milliseconds. 0: there is no deadline. A single one: it had passed, see [Ask.Late].
	Left time.Duration
	// MaxAge is the greatest age that a remembered answer may have, in whole milliseconds; below 0:
	// any.
	MaxAge time.Duration
	// Trace is the asker's traceparent, or "".
	Trace string
	// Near is set if the sender may have stored the message more than once; zero if the message has
	// only one token.
	Near Near
}

// Near finds copies of one ask with two tokens: time is divided into pieces, and each piece has its
// own token for what is stored in it. Two copies are one ask if they are less than a piece apart.
type Near struct {
	// Earlier and Later are hashes of the tokens that the ask would have in the piece before and
	// after, see [TokenOf]; zero if there is none.
	Earlier, Later Hash
	// Into is how far into its piece it was stored, in whole milliseconds.
	Into time.Duration
}

// TokenOf is the token with this hash.
func TokenOf(h Hash) string { return "m" + hex.EncodeToString(h[:]) }

// Late reports whether the asker's deadline had passed, or was about to pass, when the ask was
// given to the writer: no call is made for it.
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

// Begin says that a call of the gateway may now have been made: no call is made without one.
type Begin struct {
	Key Key
	// Run is the identity of the run that answers the key: the attempts of one flight share it; a run
	// that follows a cut one has its own.
	Run string
	// Attempt counts the calls for one question from 1 on, over runs and members, including those
	// whose member died.
	Attempt int
	// Deaths is how many runs before this one were cut by the death of their member.
	Deaths int
	// Before is the outcome of attempt Attempt-1; zero in the first attempt, and if the member died
	// during the one before.
	Before Outcome
	// Partner is that of the ask.
	Partner string
	// Asked is the ask that started the call.
	Asked Ref
	// Follows is the run that was cut, "" in a first begin and in a further attempt of the same
	// run. The begin is void if that run is no longer the key's open one at the begin's own
	// position.
	Follows string
}

// Outcome is the result of one call.
type Outcome struct {
	// Code is the code that an asker gets for it, "" if there is none.
	Code string
	// Detail is what the query log shows about the call, opaque here.
	Detail []byte
}

// Answer ends a run. It counts only if the run is its key's open one at the answer's position.
type Answer struct {
	Key      Key
	Question Hash // of the asks that it answers
	Run      string
	Verdict  Verdict
	// Result is the encoded Result that askers get, opaque here; nil if the run was released.
	Result []byte
	// Code is the code in Result, "" if it has none.
	Code string
	// Attempts are the outcomes that no begin in the log holds: usually that of the last attempt, and
	// all of them in a carried answer whose run has no line yet. There are at most [MaxAttempts].
	Attempts []Outcome
	// Keep is how long the answer is remembered, or how long the cool-down lasts, in whole
	// milliseconds.
	Keep time.Duration
	// Partner is the run's partner, Begun the run's first begin: an ask before it, or while it was
	// open, is served whatever its MaxAge is.
	Partner string
	Begun   Ref
	// Final are the asks that a [Crashed] run settles. The crash is final for them, even if they come
	// again; later asks start again. There are at most [MaxFinal]: more are settled before the answer,
	// with its Code as [Settled.Why], and the crash is final for them too.
	Final []Final
	// Persons are the persons of the asks, by which the answer is forgotten.
	Persons [2]Hash
}

// Final is an ask whose answer never changes.
type Final struct {
	Token string
	ID    Hash
}

// Verdict is what an answer means for a key.
type Verdict uint8

// The verdicts. The zero Verdict is of no answer.
const (
	// Conclusive is an answer of the gateway: it is remembered for Keep.
	Conclusive Verdict = 1
	// Failed means that the gateway gave no answer: the key cools down for Keep.
	Failed Verdict = 2
	// Crashed is the end of a run whose member died and that is not run again. It is final for the
	// asks in Final.
	Crashed Verdict = 3
	// Released says that the begin's call was never sent: the key is free at once, and its asks go on
	// waiting.
	Released Verdict = 4
)

// Settled settles asks that no answer of a run under way settles. The owner of their key writes it.
type Settled struct {
	// Asks are asks of one key. There are at most [MaxRefs].
	Asks []Ref
	// Run is the remembered run that answers them and Answer its answer. Both are zero if Why says why
	// there is none.
	Run    string
	Answer Ref
	// Why is the code that they get instead, for a deadline, a conflict, a halt, a forgotten person or
	// a crash. It is opaque here.
	Why string
}

// Told says that what was owed because of entries is done: an ask's reply and line, an answer's
// event, line and dead letter.
type Told struct {
	// Entries are the asks and answers. There are at most [MaxRefs].
	Entries []Ref
	// Tokens are there for journals of other versions: this one writes none, and takes no notice.
	Tokens []string
}

// Seal is the last entry of the member whose subject it is on: nothing after it counts. If another
// member wrote it, it is alone in its batch, and that batch's Read is the sealer's.
type Seal struct {
	By  Member // the sealed member itself or another
	Why string // for people
}

// Forget says that a person is to be forgotten: the open asks about the person are settled, and the
// answers are dropped as the tail is carried forward.
type Forget struct{ Person Hash }

// Carried is an entry of the log's tail, written again so that the tail can be purged. It keeps its
// first place, its first writer and its age. A reader that knows the entry only notes where its
// text is now; one that knows that the entry has ended takes no notice.
type Carried struct {
	// First is the entry's first place, and Writer the member whose batch that was.
	First  Ref
	Writer Member
	// Age is how long ago it was stored when it was carried, in whole milliseconds, as the carrier
	// measured it.
	Age time.Duration
	// Entry is an ask, a begin or an answer. A settled or a told entry is read as well; no member
	// writes one, and none takes notice.
	Entry Entry
}

// Skipped is an entry of a kind that this reader does not know and may skip.
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
