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

// Bounds: for one user at a time, for one user in a day, and for all users together.
const (
	mostOpen  = 50
	mostADay  = 100
	mostOfAll = 2000
)

// How often a watch asks, in units of its shortest wait: every hour for a day, then every six
// hours, for two weeks. An answer up to ten minutes old is fresh enough, whichever program asked.
const (
	often    = 24
	thenEach = 6
	lasts    = 14 * 24
	fresh    = int64(10 * time.Minute / time.Millisecond)
	// waitFor is how long to wait for a reply before the next question: workers give up a question
	// after a day, by their setting patience.
	waitFor = 25 * time.Hour
)

// state is the state of a watch.
type state string

const (
	watching  state = ""
	signed    state = "signed"    // the person has signed
	over      state = "over"      // two weeks have passed
	refused   state = "refused"   // asking again does not help: for example, there is no such account
	lost      state = "lost"      // its user may no longer ask for that partner
	forgotten state = "forgotten" // the person is to be forgotten
	cancelled state = "cancelled"
)

// record is all that is kept of a watch. It holds the person only until the watch ends. Then only
// the masked account is left, and after a cancellation not even that.
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
	Owed    bool            `json:"owed,omitempty"` // the webhook must be told that the watch has ended
	// Last is the last reply, but only the parts that the page shows; LastMs is its time.
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

// isNews reports whether others than its user want to know that the watch has ended. The user knows
// of a cancellation, and nothing may be said about a person who is to be forgotten.
func (r *record) isNews() bool {
	return r.State != watching && r.State != cancelled && r.State != forgotten
}

// hear applies a reply, and reports whether it is one to what was asked.
func (r *record) hear(a messages.Result, now time.Time) bool {
	// Others may be able to write among the page's replies, and its ids are in events.
	if r.Query != nil && a.Question != "" && !a.Answers(*r.Query) {
		return false
	}
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
	return true
}

// name finds a watch: its user's token, and a token of its own.
type name struct{ owner, id string }

var tokens = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ownerOf is the token of a user in a subject.
func ownerOf(by string) string {
	sum := sha256.Sum256([]byte("protocolq watch\x00" + by))
	return tokens.EncodeToString(sum[:10])
}

const idHead = "watch"

// question is the id of the query that is due at a time.
func (n name) question(dueMs int64) string {
	return strings.Join([]string{idHead, n.owner, n.id, strconv.FormatInt(dueMs/1000, 10)}, "-")
}

// nameIn reads such an id; false for any other id.
func nameIn(question string) (name, bool) {
	parts := strings.Split(question, "-")
	if len(parts) != 4 || parts[0] != idHead || !messages.IsToken(parts[1]) || !messages.IsToken(parts[2]) {
		return name{}, false
	}
	return name{parts[1], parts[2]}, true
}

// next is the first time after now at which a watch is due. Two processes that use the same now get
// the same time.
func next(begun, now time.Time, every time.Duration) time.Time {
	if now.Sub(begun) >= often*every {
		every *= thenEach
	}
	return begun.Add((max(now.Sub(begun), 0)/every + 1) * every)
}

// note is the result of a wish to watch. The text of the page is "watches.note."+note.
type note string

const (
	begunNote   note = "begun"
	alreadyNote note = "already"
	manyNote    note = "many"
	dayNote     note = "day"
	fullNote    note = "full"
)

// admit decides whether a user with these watches may begin one more.
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

// step is what to do when the time of a watch has come.
type step int

const (
	leave  step = iota // the watch has ended, or this step has been done
	replan             // another process planned at the same time: its plan may be too early
	finish             // it ends here
	again              // the question was noted, but perhaps not submitted
	skip               // the last question has no reply yet: ask later
	submit
	tell // tell the webhook that it has ended
)

// decide says what to do with a message that was due at dueMs; the state is for finish.
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
