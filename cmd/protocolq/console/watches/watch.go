// What a watch is, and how it goes on: decisions without a clock or a network.

package watches

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"
	"time"

	"protocolq/messages"
)

// Bounds: of one user, of a day of theirs, and of all users together.
const (
	mostOpen  = 50
	mostADay  = 100
	mostOfAll = 2000
)

// How often a watch asks, counted in its shortest wait: each hour for a day, then each sixth, for
// two weeks. An answer that is ten minutes old is new enough, whichever program asked.
const (
	often    = 24
	thenEach = 6
	lasts    = 14 * 24
	fresh    = int64(10 * time.Minute / time.Millisecond)
	// waitFor is how long a question is waited for before another is asked: workers give one up
	// after a day, their setting patience.
	waitFor = 25 * time.Hour
)

// state is how a watch stands.
type state string

const (
	watching  state = ""
	signed    state = "signed"    // what was waited for
	over      state = "over"      // two weeks have passed
	refused   state = "refused"   // asking again does not help: there is no such account, say
	lost      state = "lost"      // its user may not ask for that partner any more
	forgotten state = "forgotten" // the person is to be forgotten
	cancelled state = "cancelled"
)

// record is all that is kept of a watch. Whom it is about stands in it only until it ends: then
// only the masked account is left, and that not of a cancelled one.
type record struct {
	By      string          `json:"by"` // its user's key
	Query   *messages.Query `json:"query,omitempty"`
	Shown   string          `json:"shown,omitempty"` // masked
	State   state           `json:"state,omitempty"`
	BegunMs int64           `json:"begun_ms"`
	DueMs   int64           `json:"due_ms,omitempty"` // of the next question
	Open    string          `json:"open,omitempty"`   // the id of the question that has no reply yet
	Sent    bool            `json:"sent,omitempty"`   // it is certain that Open was submitted
	AskedMs int64           `json:"asked_ms,omitempty"`
	EndedMs int64           `json:"ended_ms,omitempty"`
	Owed    bool            `json:"owed,omitempty"` // the webhook is to be told that it has ended
	// Last is the last reply, of which only what is shown is kept; LastMs is its time.
	Last   *messages.Result `json:"last,omitempty"`
	LastMs int64            `json:"last_ms,omitempty"`
}

// end ends the watch.
func (r *record) end(s state, now time.Time) {
	r.State, r.EndedMs, r.DueMs, r.Open, r.Sent, r.Query = s, now.UnixMilli(), 0, "", false, nil
	if s == cancelled || s == forgotten {
		r.Shown, r.Last = "", nil
	}
}

// isNews tells whether others than its user want to know that it has ended. Who cancels knows it,
// and of whom is to be forgotten nothing is said.
func (r *record) isNews() bool {
	return r.State != watching && r.State != cancelled && r.State != forgotten
}

// hear takes a reply in.
func (r *record) hear(a messages.Result, now time.Time) {
	if r.Open == a.ID {
		r.Open, r.Sent = "", false
	}
	r.LastMs = now.UnixMilli()
	r.Last = &messages.Result{V: messages.Version, Outcome: a.Outcome, Code: a.Code, ChargeAgent: a.ChargeAgent,
		RefundCharge: a.RefundCharge, Retryable: a.Retryable}
	switch {
	case a.Outcome == messages.Signed:
		r.end(signed, now)
	case a.Outcome == messages.Refused:
		r.end(refused, now)
	case a.Code == messages.Forgotten:
		r.end(forgotten, now)
	}
}

// name is what a watch is found by: its user's token, and a token of its own.
type name struct{ owner, id string }

var tokens = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ownerOf is a user in a subject.
func ownerOf(by string) string {
	sum := sha256.Sum256([]byte("protocolq watch\x00" + by))
	return tokens.EncodeToString(sum[:10])
}

const idHead = "watch"

// question is the id of the query that is asked at a time.
func (n name) question(dueMs int64) string {
	return strings.Join([]string{idHead, n.owner, n.id, strconv.FormatInt(dueMs/1000, 10)}, "-")
}

// nameIn reads that id; false for any other.
func nameIn(question string) (name, bool) {
	parts := strings.Split(question, "-")
	if len(parts) != 4 || parts[0] != idHead || !messages.IsToken(parts[1]) || !messages.IsToken(parts[2]) {
		return name{}, false
	}
	return name{parts[1], parts[2]}, true
}

// next is when a watch is due for the first time after now. Two processes that look at the same
// time come to the same.
func next(begun, now time.Time, every time.Duration) time.Time {
	if now.Sub(begun) >= often*every {
		every *= thenEach
	}
	return begun.Add((max(now.Sub(begun), 0)/every + 1) * every)
}

// note is the word for what came of a wish to watch: of a row of texts, "watches.note."+note.
type note string

const (
	begunNote   note = "begun"
	alreadyNote note = "already"
	manyNote    note = "many"
	dayNote     note = "day"
	fullNote    note = "full"
)

// admit decides whether a user who has these may watch one more.
func admit(own []found, q messages.Query, now time.Time) note {
	open, today := 0, 0
	for i := range own {
		r := &own[i].record
		if now.Sub(time.UnixMilli(r.BegunMs)) < 24*time.Hour {
			today++
		}
		if r.State != watching || r.Query == nil {
			continue
		}
		if open++; r.Query.Partner == q.Partner && r.Query.AccountNo == q.AccountNo &&
			strings.EqualFold(r.Query.UserEmail, q.UserEmail) {
			return alreadyNote
		}
	}
	switch {
	case open >= mostOpen:
		return manyNote
	case today >= mostADay:
		return dayNote
	}
	return begunNote
}

// step is what is done about a watch whose time has come.
type step int

const (
	leave  step = iota // it is over, or this has been done
	replan             // another process planned at the same time: what is planned may be too early
	finish             // it ends here
	again              // the question was to be asked, and perhaps was not
	skip               // the last question has no reply yet: it is asked later
	submit
	tell // the webhook, that it has ended
)

// decide says what is done with a message that was due at dueMs; the state is that of finish.
func decide(n name, r *record, dueMs int64, now time.Time, every time.Duration, may bool) (step, state) {
	switch begun := time.UnixMilli(r.BegunMs); {
	case r.Owed:
		return tell, ""
	case r.State != watching || r.Query == nil:
		return leave, ""
	case r.Open == n.question(dueMs) && !r.Sent:
		return again, ""
	case dueMs < r.DueMs && r.DueMs > now.UnixMilli():
		return replan, ""
	case dueMs < r.DueMs:
		return leave, ""
	case now.Sub(begun) >= lasts*every:
		return finish, over
	case !may:
		return finish, lost
	case r.Sent && now.Sub(time.UnixMilli(r.AskedMs)) < waitFor:
		return skip, ""
	}
	return submit, ""
}
