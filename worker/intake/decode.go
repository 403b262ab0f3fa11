// Reading a message from outside: the ask in it, or why it is refused.

package intake

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// arrived is a message as it came to a door.
type arrived struct {
	env      messages.Envelope
	fault    error  // what is wrong with it apart from its body
	subject  string // where its asker sent it to
	reply    string // where its sender awaits a reply; "" nowhere
	token    string // identity of the arrival
	door     journal.Door
	partner  string // in the subject of a dead letter that is sent again; "" otherwise
	redriven bool   // it was a dead letter
	again    bool   // its sender may have stored it before
	near     journal.Near
	way      *Passage // nil: not traced
}

// ask is one query of one asker, from its door until it is journalled or replied to.
type ask struct {
	entry    journal.Ask // without Query and Persons before [reader.complete]
	q        messages.Query
	encoding messages.Encoding
	await    string // where its sender awaits a reply; "" nowhere
	subject  string // that it came to
	came     time.Time
	way      *Passage // nil: not traced
}

// accepted reports whether the sender waits only until the ask is stored, and the reply goes
// elsewhere.
func (k *ask) accepted() bool {
	return k.entry.Door == journal.Await && k.q.ReplyTo != "" && k.await != ""
}

// refusal is the refusal of a message, and where to send it.
type refusal struct {
	err      *messages.Error
	q        messages.Query // what could be read, for its line
	result   messages.Result
	encoding messages.Encoding
	to       string // "" if there is no place to reply to
}

// reader reads messages. It is pure: only its arguments decide.
type reader struct {
	names            *names
	partners         []string
	byDefault        string // partner
	allow, own       []string
	person           func(string) journal.Hash
	patience, minAge time.Duration
}

// mostAsker is how long the name of an asker may be, in bytes: it is in every entry.
const mostAsker = 128

// read gives the ask in a message, or its refusal. now is the door's clock.
func (r *reader) read(a *arrived, now time.Time) (*ask, *refusal) {
	q, encoding, err := a.env.Query()
	if err != nil {
		fault, ok := errors.AsType[*messages.Error](err)
		if !ok {
			fault = &messages.Error{Code: messages.BadRequest, Reason: err.Error()}
		}
		return nil, r.refuse(a, q, encoding, fault)
	}
	k := &ask{q: q, encoding: encoding, subject: a.subject, came: now, way: a.way}
	named := k.q.ID != "" || a.env.ID != ""
	k.q.ID = cmp.Or(k.q.ID, a.env.ID, a.token)
	if fault := r.check(a, &k.q); fault != nil {
		return nil, r.refuseAsk(a, k, fault)
	}
	r.entry(a, k)
	if named && !a.redriven { // a redriven dead letter wants more than the final answer
		k.entry.ID = k.q.AskIdentity(k.entry.Asker)
	}
	return k, nil
}

// check finds what is wrong with a readable query, and fills in its partner.
func (r *reader) check(a *arrived, q *messages.Query) *messages.Error {
	if fault, ok := errors.AsType[*messages.Error](a.fault); ok {
		return fault
	}
	refuse := func(code, field, reason string) *messages.Error {
		return &messages.Error{Code: code, Field: field, Reason: reason}
	}
	bySubject, _ := r.names.PartnerOf(a.subject)
	for _, p := range [...]string{bySubject, a.partner} {
		if p == "" {
			continue
		}
		if q.Partner != "" && q.Partner != p {
			return refuse(messages.NotAllowed, "partner",
				"is not that of the subject it was sent to; use the subject of this partner")
		}
		q.Partner = p
	}
	q.Partner = cmp.Or(q.Partner, a.env.Partner, r.byDefault)
	switch {
	case q.Partner == "":
		return refuse(messages.BadRequest, "partner", "is missing and there is no default one; name the partner")
	case !slices.Contains(r.partners, q.Partner):
		return refuse(messages.NotAllowed, "partner", "is not served here; check it, or have it configured")
	case a.env.Asker == "" && r.names.NamesAsker(a.subject):
		return refuse(messages.BadRequest, "",
			"what follows the partner in the subject is no asker's name; use one part of letters, digits, - and _")
	case len(a.env.Asker) > mostAsker:
		return refuse(messages.BadRequest, "",
			fmt.Sprintf("the asker's name in the subject is longer than %d bytes; use a shorter one", mostAsker))
	}
	for _, err := range [...]error{r.named(a, q.ReplyTo), r.place(a, a.reply)} {
		if fault, ok := errors.AsType[*messages.Error](err); ok {
			return fault
		}
	}
	return nil
}

// named finds what is wrong with a reply_to; "" is none.
func (r *reader) named(a *arrived, to string) error {
	if to == "" {
		return nil
	}
	if err := r.names.CheckReplyOf(a.env.Asker, to); err != nil {
		return err
	}
	return r.names.CheckReply(to, r.allow, r.own)
}

// place finds what is wrong with a message's own reply subject; "" is none. Any inbox is fine: the
// server decides who may listen there. Among durable replies an asker may use only its own.
func (r *reader) place(a *arrived, to string) error {
	if r.names.durable(to) {
		return r.named(a, to)
	}
	if to == "" {
		return nil
	}
	return r.names.CheckReply(to, r.allow, r.own)
}

// entry fills in what a look-up in memory needs, and what the journal holds except the query
// itself.
func (r *reader) entry(a *arrived, k *ask) {
	key, question := k.q.Identity(a.env.Asker)
	k.entry = journal.Ask{Token: a.token, Key: key, Question: question, Encoding: k.encoding.Byte(), Door: a.door,
		Partner: k.q.Partner, Asker: a.env.Asker, Given: k.q.Key != "", MaxAge: -1, Trace: a.env.Trace,
		Near: a.near}
	if k.q.MaxAgeMs != nil {
		k.entry.MaxAge = max(time.Duration(*k.q.MaxAgeMs)*time.Millisecond, r.minAge)
	}
	if k.q.DeadlineMs > 0 {
		k.entry.Left = left(k.q.DeadlineMs, k.came, r.patience)
	}
	k.entry.Reply = cmp.Or(k.q.ReplyTo, a.reply)
	if a.door == journal.Await {
		k.await = a.reply
	} else if k.entry.Reply == "" {
		k.entry.Reply = r.replyOf(a)
	}
}

// left is the time until a deadline in unix milliseconds, at most patience: a mistyped digit must
// not keep a query for a century. A passed deadline leaves a millisecond.
func left(deadlineMs int64, now time.Time, patience time.Duration) time.Duration {
	ms := min(deadlineMs-now.UnixMilli(), patience.Milliseconds())
	return time.Duration(max(ms, 1)) * time.Millisecond
}

// replyOf is where the replies of an asker go that submits and names no reply subject; "" nowhere.
func (r *reader) replyOf(a *arrived) string {
	if a.door != journal.Submit || a.env.Asker == "" {
		return ""
	}
	to := r.names.ReplyOf(a.env.Asker)
	if r.names.CheckReply(to, r.allow, r.own) != nil {
		return ""
	}
	return to
}

// complete fills in what only the journal needs.
func (r *reader) complete(k *ask) error {
	data, err := k.q.Encode(messages.MsgPack)
	if err != nil {
		return err
	}
	k.entry.Query = data
	if r.person != nil {
		for i, who := range [...]string{k.q.UserEmail, k.q.AccountNo} {
			if who != "" {
				k.entry.Persons[i] = r.person(who)
			}
		}
	}
	return nil
}

// refuse is the refusal of a message. q has what could be read of it.
func (r *reader) refuse(a *arrived, q messages.Query, encoding messages.Encoding, fault *messages.Error) *refusal {
	f := &refusal{err: fault, q: q, encoding: encoding, result: fault.Result(), to: r.refusalPlace(a, fault)}
	if f.encoding == "" {
		f.encoding = messages.MsgPack
	}
	f.result.ID = cmp.Or(f.result.ID, a.env.ID, a.token)
	f.q.ID, f.q.Key = f.result.ID, "" // the owner of that key is not known
	if !slices.Contains(r.partners, f.q.Partner) {
		f.q.Partner = ""
	}
	return f
}

// refuseAsk is the refusal of a query that could be read.
func (r *reader) refuseAsk(a *arrived, k *ask, fault *messages.Error) *refusal {
	fault.ID, fault.Key, fault.Partner, fault.ReplyTo = k.q.ID, k.q.Key, k.q.Partner, k.q.ReplyTo
	f := r.refuse(a, k.q, k.encoding, fault)
	if k.q.Partner != "" {
		f.result.Question = k.q.QuestionText()
	}
	return f
}

// refusalPlace is where a refusal may be sent: the sender's reply subject, the one in the message,
// or the asker's own, the first that is allowed; "" if none is. For a dead letter that was sent
// again only a durable place counts, because the asker that waited for it has left; without one it
// becomes a dead letter again.
func (r *reader) refusalPlace(a *arrived, fault *messages.Error) string {
	for _, p := range [...]struct {
		to  string
		err error
	}{{a.reply, r.place(a, a.reply)}, {fault.ReplyTo, r.named(a, fault.ReplyTo)}, {r.replyOf(a), nil}} {
		if p.to != "" && p.err == nil && (!a.redriven || r.names.durable(p.to)) {
			return p.to
		}
	}
	return ""
}

// unfit is the refusal of an ask that the journal can never hold.
func (r *reader) unfit(a *arrived, k *ask, err error) *refusal {
	return r.refuseAsk(a, k,
		&messages.Error{Code: messages.BadRequest, Reason: "the query cannot be stored: " + err.Error()})
}

// submitted is a message from the stream, as it came in.
func (n *names) submitted(subject string, header map[string][]string, body []byte, at stored) *arrived {
	a := &arrived{subject: subject, token: at.token(), door: journal.Submit}
	a.env, a.fault = n.ParseEnvelope(subject, header, body)
	partner, ok := n.redriveOf(subject)
	if !ok {
		if id := a.env.ID; id != "" { // the message's id
			a.token, a.near = at.tokensOf(subject, id, body)
			a.again = true
		}
		return a
	}
	// The fleet's own headers: what the dead letter says about its ask.
	a.redriven, a.partner, a.reply = true, partner, a.env.ReplyTo
	a.subject = cmp.Or(a.env.Subject, n.SubmitOf(partner, ""))
	if id := a.env.MsgID; isRedriven(id) {
		a.token, a.again = id, true
	}
	return a
}

// mostToken is how long a token in a header may be, in bytes.
const mostToken = 128

// isRedriven reports whether a token is that of a redriven ask: it ends with /r and a count. It
// belongs to the ask and not to the message, so that it stays one ask however often it is stored.
func isRedriven(token string) bool {
	i := strings.LastIndex(token, "/r")
	if i < 1 || len(token) > mostToken {
		return false
	}
	_, err := strconv.ParseUint(token[i+2:], 10, 32)
	return err == nil
}
