// What a message is read as, and why it is refused.

package intake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
	"protocolq/worker/journal"
)

const (
	partner  = "2088000000000001"
	partner2 = "2088000000000002"
	trace    = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
)

var noon = time.UnixMilli(1_800_000_000_000)

func newReader(t *testing.T, change ...func(*reader)) *reader {
	t.Helper()
	n, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	of := names{n}
	r := &reader{names: &of, partners: []string{partner, partner2}, byDefault: partner, allow: n.DefaultReplies(), own: []string{"_INBOX_wk"},
		patience: 24 * time.Hour, minAge: 2 * time.Second, person: func(s string) journal.Hash { return journal.Hash{1, byte(len(s))} }}
	for _, c := range change {
		c(r)
	}
	return r
}

// awaited is a message that came by the query door.
func (r *reader) awaited(subject, reply string, header map[string][]string, body string) *arrived {
	a := &arrived{subject: subject, reply: reply, token: "arrival-1", door: journal.Await}
	a.env, a.fault = r.names.ParseEnvelope(subject, header, []byte(body))
	return a
}

func TestRefusals(t *testing.T) {
	r := newReader(t)
	inbox := "_INBOX.x.1"
	for name, c := range map[string]struct {
		subject, reply, body string
		header               map[string][]string
		code, says           string
		to                   string
	}{
		"empty":              {body: "", code: "BAD_REQUEST", to: inbox},
		"not a map":          {body: "hello", code: "BAD_REQUEST", to: inbox},
		"msgpack bomb":       {body: "\x81\xa1a\xdd\xff\xff\xff\xff", code: "BAD_REQUEST", to: inbox},
		"no account":         {body: `{"id":"a"}`, code: "BAD_REQUEST", says: "user_email", to: inbox},
		"unknown field":      {body: `{"user_email":"a@b.cn","max_age":5}`, code: "BAD_REQUEST", says: "max_age", to: inbox},
		"biz_type":           {body: `{"user_email":"a@b.cn","biz_type":"10005"}`, code: "BAD_REQUEST", says: "biz_type", to: inbox},
		"partner not served": {body: `{"user_email":"a@b.cn","partner":"2088999999999999"}`, code: "NOT_ALLOWED", says: "not served", to: inbox},
		"subject not served": {subject: "protocol.query.2088999999999999", body: `{"user_email":"a@b.cn"}`, code: "NOT_ALLOWED", says: "not served", to: inbox},
		"partner not the subject's": {subject: "protocol.query." + partner, body: `{"user_email":"a@b.cn","partner":"` + partner2 + `"}`,
			code: "NOT_ALLOWED", says: "partner", to: inbox},
		"nor with an asker": {subject: "protocol.query." + partner + ".shop", body: `{"user_email":"a@b.cn","partner":"` + partner2 + `"}`,
			code: "NOT_ALLOWED", says: "partner", to: inbox},
		"reply_to of our own": {body: `{"user_email":"a@b.cn","reply_to":"protocol.followed.x"}`, code: "REPLY_REFUSED", says: "reply_to", to: inbox},
		"reply_to another asker's": {subject: "protocol.query." + partner + ".shop", body: `{"user_email":"a@b.cn","reply_to":"protocol.reply.other"}`,
			code: "REPLY_REFUSED", says: "reply_to: is not this asker's own; use protocol.reply.shop or a subject below it", to: inbox},
		"a name that begins alike": {subject: "protocol.query." + partner + ".shop", body: `{"user_email":"a@b.cn","reply_to":"protocol.reply.shopping"}`,
			code: "REPLY_REFUSED", says: "reply_to", to: inbox},
		"reply_to an inbox, of a name": {subject: "protocol.query." + partner + ".shop", body: `{"user_email":"a@b.cn","reply_to":"_INBOX.y"}`,
			code: "REPLY_REFUSED", says: "use protocol.reply.shop", to: inbox},
		"awaits among another's":      {subject: "protocol.query." + partner + ".shop", reply: "protocol.reply.other", body: `{"user_email":"a@b.cn"}`, code: "REPLY_REFUSED"},
		"unreadable, among another's": {subject: "protocol.query." + partner + ".shop", reply: "protocol.reply.other", body: `{"user":"a@b.cn"}`, code: "BAD_REQUEST"},
		"more parts than a name":      {subject: "protocol.query." + partner + ".shop.floor", body: `{"user_email":"a@b.cn"}`, code: "BAD_REQUEST", says: "no asker's name", to: inbox},
		"no name":                     {subject: "protocol.query." + partner + ".sh%op", body: `{"user_email":"a@b.cn"}`, code: "BAD_REQUEST", says: "no asker's name", to: inbox},
		"too large":                   {body: `{"user_email":"` + strings.Repeat("a", 70_000) + `"}`, code: "TOO_LARGE", to: inbox},
		"long asker":                  {subject: "protocol.query." + partner + "." + strings.Repeat("a", 129), body: `{"user_email":"a@b.cn"}`, code: "BAD_REQUEST", says: "asker", to: inbox},
		"reply to the server":         {reply: "$JS.API.STREAM.DELETE.PROTOCOL_JOURNAL", body: `{"user_email":"a@b.cn"}`, code: "REPLY_REFUSED"},
		"reply to the door":           {reply: "protocol.query", body: `{"user_email":"a@b.cn"}`, code: "REPLY_REFUSED"},
		"reply to a worker":           {reply: "_INBOX_wk.abc", body: `{"user_email":"a@b.cn"}`, code: "REPLY_REFUSED"},
		"reply to another":            {reply: "other.subject", body: `{"user_email":"a@b.cn"}`, code: "REPLY_REFUSED"},
		"garbage, no reply":           {reply: "none", body: "garbage", code: "BAD_REQUEST"},
		"header given twice":          {body: `{"user_email":"a@b.cn"}`, header: map[string][]string{"Content-Type": {"application/json", "application/json"}}, code: "BAD_REQUEST", says: "Content-Type: is given 2 times", to: inbox},
		"reply_to in a refusal":       {reply: "none", body: `{"user_email":"a@b.cn","partner":"2088999999999999","reply_to":"protocol.reply.shop"}`, code: "NOT_ALLOWED", to: "protocol.reply.shop"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.subject == "" {
				c.subject = "protocol.query"
			}
			switch c.reply {
			case "":
				c.reply = inbox
			case "none":
				c.reply = ""
			}
			k, f := r.read(r.awaited(c.subject, c.reply, c.header, c.body), noon)
			if k != nil || f == nil {
				t.Fatalf("read as %+v", k)
			}
			if f.result.Outcome != messages.Refused || f.result.Code != c.code || !strings.Contains(f.result.Message, c.says) || f.result.Retryable || f.to != c.to {
				t.Errorf("%+v to %q", f.result, f.to)
			}
			if f.result.ID == "" || f.encoding == "" || f.q.Partner != "" && f.q.Partner != partner && f.q.Partner != partner2 {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestNoDefaultPartner(t *testing.T) {
	r := newReader(t, func(r *reader) { r.byDefault = "" })
	if _, f := r.read(r.awaited("protocol.query", "_INBOX.x", nil, `{"user_email":"a@b.cn"}`), noon); f == nil || f.err.Field != "partner" || f.err.Code != messages.BadRequest {
		t.Errorf("%+v", f)
	}
	if k, _ := r.read(r.awaited("protocol.query."+partner2, "_INBOX.x", nil, `{"user_email":"a@b.cn"}`), noon); k == nil || k.entry.Partner != partner2 {
		t.Errorf("%+v", k)
	}
}

// entryOf reads a message that is right.
func entryOf(t *testing.T, r *reader, a *arrived) *ask {
	t.Helper()
	k, f := r.read(a, noon)
	if f != nil {
		t.Fatalf("refused: %v", f.err)
	}
	if err := r.complete(k); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestEntries(t *testing.T) {
	r := newReader(t)
	derived := messages.Query{Partner: partner, UserEmail: "a@b.cn"}
	question := journal.Hash(derived.Question())
	given := messages.Query{Partner: partner, UserEmail: "a@b.cn", Key: "k"}
	key, _ := given.Identity("")
	own, _ := given.Identity("shop")
	id := messages.Query{Partner: partner, ID: "mine"}
	person := [2]journal.Hash{{1, 6}}
	for name, c := range map[string]struct {
		subject, reply, body string
		header               map[string][]string
		submitted            bool
		want                 journal.Ask
		id                   string
	}{
		"plain": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn"}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(question), Reply: "_INBOX.x", MaxAge: -1}},
		"its id, its age, its trace": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn","id":"mine","max_age_ms":60000}`, id: "mine",
			header: map[string][]string{"traceparent": {trace}, "Nats-Msg-Id": {"other"}},
			want:   journal.Ask{Key: journal.Key(question), Reply: "_INBOX.x", MaxAge: time.Minute, ID: journal.Hash(id.AskIdentity("")), Trace: trace}},
		"its id in a header": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn"}`, id: "mine", header: map[string][]string{"Nats-Msg-Id": {"mine"}},
			want: journal.Ask{Key: journal.Key(question), Reply: "_INBOX.x", MaxAge: -1, ID: journal.Hash(id.AskIdentity(""))}},
		"never tighter": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn","max_age_ms":0}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(question), Reply: "_INBOX.x", MaxAge: 2 * time.Second}},
		"a key": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn","key":"k"}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(key), Reply: "_INBOX.x", MaxAge: -1, Given: true}},
		"a key of its asker": {subject: "protocol.query." + partner + ".shop", reply: "_INBOX.x", body: `{"user_email":"a@b.cn","key":"k","id":"mine"}`, id: "mine",
			want: journal.Ask{Key: journal.Key(own), Reply: "_INBOX.x", MaxAge: -1, Given: true, Asker: "shop", ID: journal.Hash(id.AskIdentity("shop"))}},
		"a deadline": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn","deadline_ms":1800000001500}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(question), Reply: "_INBOX.x", MaxAge: -1, Left: 1500 * time.Millisecond}},
		"a deadline that has passed": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn","deadline_ms":1799999999999}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(question), Reply: "_INBOX.x", MaxAge: -1, Left: time.Millisecond}},
		"a deadline in a century": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn","deadline_ms":4000000000000}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(question), Reply: "_INBOX.x", MaxAge: -1, Left: 24 * time.Hour}},
		"reply_to": {reply: "_INBOX.x", body: `{"user_email":"a@b.cn","reply_to":"protocol.reply.shop"}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(question), Reply: "protocol.reply.shop", MaxAge: -1}},
		"nobody awaits": {body: `{"user_email":"a@b.cn"}`, id: "arrival-1",
			want: journal.Ask{Key: journal.Key(question), MaxAge: -1}},
		"submitted": {submitted: true, subject: "protocol.submit", body: `{"user_email":"a@b.cn"}`, id: "7-9",
			want: journal.Ask{Key: journal.Key(question), Token: "7-9", MaxAge: -1}},
		"submitted by an asker": {submitted: true, subject: "protocol.submit." + partner + ".shop", body: `{"user_email":"a@b.cn"}`, id: "7-9",
			want: journal.Ask{Key: journal.Key(question), Token: "7-9", MaxAge: -1, Asker: "shop", Reply: "protocol.reply.shop"}},
		"submitted with reply_to": {submitted: true, subject: "protocol.submit." + partner, body: `{"user_email":"a@b.cn","reply_to":"_INBOX.y"}`, id: "7-9",
			want: journal.Ask{Key: journal.Key(question), Token: "7-9", MaxAge: -1, Reply: "_INBOX.y"}},
		"submitted by an asker with reply_to": {submitted: true, subject: "protocol.submit." + partner + ".shop", body: `{"user_email":"a@b.cn","reply_to":"protocol.reply.shop.7"}`,
			id: "7-9", want: journal.Ask{Key: journal.Key(question), Token: "7-9", MaxAge: -1, Asker: "shop", Reply: "protocol.reply.shop.7"}},
		"awaited by an asker with reply_to": {subject: "protocol.query." + partner + ".shop", reply: "_INBOX.x", body: `{"user_email":"a@b.cn","reply_to":"protocol.reply.shop"}`,
			id: "arrival-1", want: journal.Ask{Key: journal.Key(question), MaxAge: -1, Asker: "shop", Reply: "protocol.reply.shop"}},
		"awaited by an asker on its own": {subject: "protocol.query." + partner + ".shop", reply: "protocol.reply.shop.7", body: `{"user_email":"a@b.cn"}`,
			id: "arrival-1", want: journal.Ask{Key: journal.Key(question), MaxAge: -1, Asker: "shop", Reply: "protocol.reply.shop.7"}},
		"sent again": {submitted: true, subject: "protocol.redrive." + partner, body: `{"user_email":"a@b.cn","id":"mine"}`, id: "mine",
			header: map[string][]string{"Nats-Msg-Id": {"5-6/r2"}, "Protocol-Subject": {"protocol.submit." + partner + ".shop"}, "Protocol-Reply-To": {"_INBOX.z"},
				"Protocol-Door": {"query"}, "Protocol-Redriven": {"2"}},
			want: journal.Ask{Key: journal.Key(question), Token: "5-6/r2", MaxAge: -1, Asker: "shop", Reply: "_INBOX.z"}},
		"sent again by an asker that has a stream": {submitted: true, subject: "protocol.redrive." + partner, body: `{"user_email":"a@b.cn"}`, id: "theirs",
			header: map[string][]string{"Nats-Msg-Id": {"5-6"}, "Protocol-Subject": {"protocol.submit." + partner + ".shop"}, "Protocol-Id": {"theirs"}},
			want:   journal.Ask{Key: journal.Key(question), Token: "7-9", MaxAge: -1, Asker: "shop", Reply: "protocol.reply.shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.subject == "" {
				c.subject = "protocol.query"
			}
			a := r.awaited(c.subject, c.reply, c.header, c.body)
			if c.submitted {
				a = r.names.submitted(c.subject, c.header, []byte(c.body), stored{7, time.Unix(0, 9)})
			}
			k := entryOf(t, r, a)
			want := c.want
			want.Question, want.Partner, want.Persons, want.Encoding, want.Door = question, partner, person, messages.JSON.Byte(), a.door
			if want.Token == "" {
				want.Token = "arrival-1"
			}
			q, _, err := messages.DecodeQuery(k.entry.Query, "")
			if err != nil || q.ID != c.id || q.Partner != partner {
				t.Errorf("query %+v, %v", q, err)
			}
			got := k.entry
			got.Query = nil
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("entry (-want +got):\n%s", d)
			}
			if _, err := journal.Encode(1, 0, &k.entry); err != nil {
				t.Error(err)
			}
		})
	}
}

// A message id is its asker's own, and stands for the same bytes; the server compares it alone.
func TestTokensOfMessageIDs(t *testing.T) {
	n := newReader(t).names
	at := stored{7, time.Unix(1_800_000_000, 9)}
	token := func(subject, id, body string, at stored) string {
		return n.submitted(subject, map[string][]string{"Nats-Msg-Id": {id}}, []byte(body), at).token
	}
	shop, till := "protocol.submit."+partner+".shop", "protocol.submit."+partner+".till"
	first := token(shop, "order-17", "body", at)
	if again := token(shop, "order-17", "body", stored{8, at.at.Add(9 * time.Minute)}); again != first {
		t.Errorf("stored again it is another: %s, %s", first, again)
	}
	// Those of the piece of time before and after it are near. It is 3 m 20 s 5 ms into its own.
	at.at = time.Unix(1_800_000_200, 5_999_999)
	a := n.submitted(shop, map[string][]string{"Nats-Msg-Id": {"order-17"}}, []byte("body"), at)
	earlier, later := token(shop, "order-17", "body", stored{9, at.at.Add(-201 * time.Second)}), token(shop, "order-17", "body", stored{9, at.at.Add(400 * time.Second)})
	if journal.TokenOf(a.near.Earlier) != earlier || journal.TokenOf(a.near.Later) != later || a.near.Into != 200*time.Second+5*time.Millisecond || earlier == a.token || later == a.token || earlier == later {
		t.Errorf("near %s are %+v, want %s and %s", a.token, a.near, earlier, later)
	}
	if k, _ := newReader(t).read(n.submitted(shop, map[string][]string{"Nats-Msg-Id": {"order-17"}}, []byte(`{"user_email":"a@b.cn"}`), at), at.at); k.entry.Near == (journal.Near{}) {
		t.Error("the entry does not say what is near")
	}
	seen := map[string]bool{first: true}
	for name, other := range map[string]string{
		"another asker":     token(till, "order-17", "body", at),
		"another question":  token(shop, "order-17", "other", at),
		"another id":        token(shop, "order-18", "body", at),
		"what ran together": token(shop, "order-17b", "ody", at),
		"long after":        token(shop, "order-17", "body", stored{7, at.at.Add(10 * time.Minute)}),
		"no id":             token(shop, "", "body", at),
		"no usable id":      token(shop, strings.Repeat("x", 129), "body", stored{8, at.at}),
		"of an operator":    token("protocol.redrive."+partner, "5-6/r1", "body", at),
	} {
		if seen[other] || len(other) > mostToken {
			t.Errorf("%s: %s", name, other)
		}
		seen[other] = true
	}
}

// An operator's word counts for the subject that it is sent on, not for another partner's.
func TestRedriveOfAnotherPartner(t *testing.T) {
	r := newReader(t)
	for _, header := range []map[string][]string{
		{"Protocol-Subject": {"protocol.submit." + partner2}},
		{"Protocol-Partner": {partner2}},
		{"Protocol-Reply-To": {"protocol.journal.x"}},
		{"Protocol-Reply-To": {"_INBOX.left"}, "Protocol-Subject": {"protocol.submit." + partner2}},
		{"Protocol-Door": {"window"}},
	} {
		body := `{"user_email":"a@b.cn"}`
		if header["Protocol-Partner"] != nil {
			body = `{"user_email":"a@b.cn","partner":"` + partner2 + `"}`
		}
		k, f := r.read(r.names.submitted("protocol.redrive."+partner, header, []byte(body), stored{7, time.Unix(0, 9)}), noon)
		if f == nil || f.to != "" {
			t.Errorf("%v: %+v, %+v", header, k, f)
		}
	}
}

func TestRedriveIsRefusedToAStream(t *testing.T) {
	r := newReader(t)
	header := map[string][]string{"Protocol-Reply-To": {"protocol.reply.shop"}}
	if _, f := r.read(r.names.submitted("protocol.redrive."+partner, header, []byte("garbage"), stored{7, time.Unix(0, 9)}), noon); f == nil || f.to != "protocol.reply.shop" {
		t.Errorf("%+v", f)
	}
}

// A false answer is put nowhere among another's replies, whatever the refusal; its asker has it
// among its own.
func TestRefusalsOfANameStayItsOwn(t *testing.T) {
	r := newReader(t)
	for body, code := range map[string]string{
		`{"user_email":"a@b.cn","reply_to":"protocol.reply.other"}`:                  messages.ReplyRefused,
		`{"reply_to":"protocol.reply.other"}`:                                        messages.BadRequest,
		`{"user_email":"a@b.cn","biz_type":"1","reply_to":"_INBOX.y"}`:               messages.BadRequest,
		`{"user_email":"a@b.cn","partner":"2088999999999999","reply_to":"_INBOX.y"}`: messages.NotAllowed,
	} {
		_, f := r.read(r.names.submitted("protocol.submit."+partner+".shop", nil, []byte(body), stored{7, time.Unix(0, 9)}), noon)
		if f == nil || f.err.Code != code || f.to != "protocol.reply.shop" {
			t.Errorf("%s: %+v", body, f)
		}
	}
}

func TestAskerWithoutDurableReplies(t *testing.T) {
	r := newReader(t, func(r *reader) { r.allow = []string{"_INBOX"} })
	a := r.names.submitted("protocol.submit."+partner+".shop", nil, []byte(`{"user_email":"a@b.cn"}`), stored{7, time.Unix(0, 9)})
	if k := entryOf(t, r, a); k.entry.Reply != "" {
		t.Errorf("replies to %q", k.entry.Reply)
	}
}

func TestLetters(t *testing.T) {
	r := newReader(t)
	body := strings.Repeat("x", 70_000)
	a := r.names.submitted("protocol.redrive."+partner, map[string][]string{"Nats-Msg-Id": {"5-6/r2"}, "Protocol-Redriven": {"2"}, "Protocol-Reply-To": {"protocol.x"}}, []byte(body), stored{7, time.Unix(0, 9)})
	_, f := r.read(a, noon)
	l := r.names.deadLetterOf(a, f)
	for cut, size := range []int{1 << 10, 0} {
		m := l.message(cut)
		if sum := sha256.Sum256([]byte(body)); m.Header.Get("Protocol-Body-Sha256") != hex.EncodeToString(sum[:]) {
			t.Errorf("cut %d: %v", cut, m.Header)
		}
		if m.Subject != "protocol.dead.unreadable" || len(m.Data) != size || !strings.Contains(m.Header.Get("Protocol-Reason"), "bytes") {
			t.Errorf("cut %d: %s %d bytes %v", cut, m.Subject, len(m.Data), m.Header)
		}
		for name, want := range map[string]string{"Protocol-Redriven": "2", "Protocol-Reply-To": "protocol.x", "Protocol-Token": "5-6/r2", "Nats-Msg-Id": "5-6/r2/unreadable", "Protocol-Door": "submit"} {
			if got := m.Header[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	if l.message(2) != nil {
		t.Error("there is no shorter one")
	}
	// The longest query that is right can be asked again.
	astray := messages.Query{ID: strings.Repeat("机", 128), Key: strings.Repeat("机", 128), UserEmail: strings.Repeat("机", 88) + "@example.com",
		AccountNo: "20881234567890123456", ReplyTo: "protocol." + strings.Repeat("x", 246), Meta: map[string]string{}}
	for i := range 4 {
		astray.Meta[strings.Repeat(string(rune('a'+i)), 20)] = strings.Repeat("y", 236)
	}
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		data, err := astray.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		a := r.names.submitted("protocol.submit", nil, data, stored{7, time.Unix(0, 9)})
		_, f := r.read(a, noon)
		if m := r.names.deadLetterOf(a, f).message(0); m.Subject != "protocol.dead.reply_refused" || !bytes.Equal(m.Data, data) || m.Header["Protocol-Body-Sha256"] != nil {
			t.Errorf("%s: %s, %d of %d bytes, %v", e, m.Subject, len(m.Data), len(data), f.err)
		}
	}
}

func TestLeftToOthers(t *testing.T) {
	newer, older := &messages.Error{Newer: true}, &messages.Error{}
	for _, c := range []struct {
		err  *messages.Error
		age  time.Duration
		left bool
	}{
		{newer, 0, true}, {newer, 4 * time.Minute, true}, {newer, 5*time.Minute - mostBackoff, false}, {newer, time.Hour, false},
		{newer, -time.Minute, true}, {newer, -time.Hour, false}, {older, 0, false},
	} {
		if left := leftToOthers(c.err, c.age); left != c.left {
			t.Errorf("newer %v, %v old: left %v", c.err.Newer, c.age, left)
		}
	}
}
