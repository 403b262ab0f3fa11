// Dead letters: what could not be answered, with everything needed to see why and to ask again.

package outbox

import (
	"cmp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/journal"
)

// dead is what a dead letter says.
type dead struct {
	reason  string // one of messages.Dead…
	why     string // for people
	token   string // identity of the dead ask or batch
	subject string // where it came in
	data    []byte

	// What is known of an ask.
	tries    int
	code     string // of its last try
	stored   time.Time
	id       string
	partner  string
	door     string
	replyTo  string
	encoding messages.Encoding
}

// deadReason is the reason of an ask's dead letter; "" if it has none. An asker that awaited its
// reply and got one needs none.
func deadReason(a *Ask, q *messages.Query, deaths int) string {
	patient := a.Ask.Door == journal.Submit || q.ReplyTo != "" || a.Ask.Reply == ""
	crashed := a.Answer != nil && a.Answer.Verdict == journal.Crashed && a.Source != messages.Remembered
	switch {
	case crashed && a.Deaths >= deaths:
		return messages.DeadPoison
	case crashed && patient:
		return messages.DeadCrashed
	case patient && a.Answer == nil && a.Why == messages.DeadlinePassed:
		return messages.DeadExpired
	}
	return ""
}

// deadOf is the dead letter of an ask. r is what its asker gets.
func deadOf(a *Ask, q *messages.Query, r *messages.Result, reason string, names *messages.Names) dead {
	return dead{
		reason: reason, why: cmp.Or(r.Message, r.Code), token: a.Ask.Token, subject: cameBy(a.Ask, names),
		data: a.Ask.Query, tries: max(r.Attempts, 1), code: lastCode(a), stored: a.Stored, id: q.ID,
		partner: q.Partner, door: doorName(a.Ask.Door), replyTo: a.Ask.Reply,
		encoding: messages.MsgPack, // as in the journal, whatever the asker uses
	}
}

// deadReply is the dead letter of an ask whose reply is refused permanently.
func deadReply(a *Ask, q *messages.Query, r *messages.Result, names *messages.Names, cause error) dead {
	l := deadOf(a, q, r, messages.DeadReplyRefused, names)
	l.why = "the reply cannot be published: " + cause.Error()
	return l
}

// deadBatch is the dead letter of an unreadable batch.
func deadBatch(c *Corrupt, names *messages.Names) dead {
	return dead{reason: messages.DeadCorrupt, why: "a batch of the journal is not what was written", data: c.Data,
		token:   "journal-" + strconv.FormatUint(c.Position, 10) + "-" + strconv.FormatInt(c.Stored.UnixNano(), 10),
		subject: names.Journal() + string(c.Member), tries: 1, stored: c.Stored}
}

// How much of its bytes a dead letter holds, and how much after it was refused for its size.
var deadBodies = [...]int{messages.MaxMessage, 4 << 10, 0}

// message makes the dead letter's message: the bytes as they were, with the reason.
func (l *dead) message(names *messages.Names, cut int) *nats.Msg {
	why, data := l.why, l.data
	if most := deadBodies[cut]; len(data) > most {
		why += "; the first " + strconv.Itoa(most) + " of " + strconv.Itoa(len(data)) + " bytes"
		data = data[:most]
	}
	h := nats.Header{
		messages.HeaderReason: {why}, messages.HeaderSubject: {l.subject},
		messages.HeaderToken: {l.token}, messages.HeaderMsgID: {l.token + "/" + l.reason},
	}
	for name, v := range map[string]string{
		messages.HeaderContentType: string(l.encoding), messages.HeaderID: l.id, messages.HeaderPartner: l.partner,
		messages.HeaderDoor: l.door, messages.HeaderReplyTo: l.replyTo, messages.HeaderLastCode: l.code,
		messages.HeaderTries: strconv.Itoa(l.tries), messages.HeaderStored: strconv.FormatInt(l.stored.UnixMilli(), 10),
	} {
		if v != "" {
			h[name] = []string{v}
		}
	}
	return &nats.Msg{Subject: names.Dead(l.reason), Data: data, Header: h}
}
