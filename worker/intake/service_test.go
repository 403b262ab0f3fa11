// The query door on a real server.

package intake_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/journal"
	"protocolq/worker/natstest"
)

const question = `{"id":"mine","user_email":"signed@example.com","meta":{"a":"b"}}`

// remember keeps an answer to a query.
func (f *fixture) remember(q messages.Query, r messages.Result) {
	f.t.Helper()
	if q.Partner == "" {
		q.Partner = partner
	}
	key, _ := q.Identity("")
	data := must(r.Encode(messages.MsgPack))(f.t)
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	f.memory.kept[key] = intake.Kept{Answer: &journal.Answer{Run: "run-1", Result: data, Verdict: journal.Conclusive}, At: journal.Ref{Position: 3, Index: 1}}
}

func TestRemembered(t *testing.T) {
	f := newFixture(t)
	f.remember(messages.Query{UserEmail: "signed@example.com"}, messages.Result{Outcome: messages.Signed, Attempts: 2, ExpiresAtMs: 1_900_000_000_000})
	f.start()
	r, m := f.ask("protocol.query", question)
	if r.Outcome != messages.Signed || r.Source != messages.Remembered || r.ID != "mine" || r.Meta["a"] != "b" || r.Run != "run-1" ||
		r.Partner != partner || r.Attempts != 2 || r.ExpiresAtMs != 1_900_000_000_000 || time.Since(time.UnixMilli(r.AnsweredAtMs)) > time.Minute {
		t.Errorf("%+v", r)
	}
	if m.Header.Get("Content-Type") != "application/json" || m.Header.Get("Protocol-Run") != "run-1" || m.Header.Get("Protocol-Outcome") != "signed" {
		t.Errorf("%v", m.Header)
	}
	packed := string(must(messages.Query{ID: "other", UserEmail: "signed@example.com"}.Encode(messages.MsgPack))(t))
	if r, m := f.ask("protocol.query."+partner+".shop", packed); r.Outcome != messages.Signed || r.ID != "other" || m.Header != nil {
		t.Errorf("%+v %v", r, m.Header)
	}
	traced := &nats.Msg{Subject: "protocol.query", Data: []byte(packed), Header: nats.Header{"traceparent": {"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}}}
	if m := must(f.nc.RequestMsg(traced, time.Minute))(t); m.Header.Get("traceparent") != traced.Header.Get("traceparent") {
		t.Errorf("%v", m.Header)
	}
	if asks := f.log.taken(); len(asks) != 0 {
		t.Errorf("%d journalled", len(asks))
	}
	// A reply that goes elsewhere is owed by the journal.
	if r, _ := f.ask("protocol.query", `{"user_email":"signed@example.com","reply_to":"protocol.reply.shop"}`); r.Outcome != messages.Accepted || r.Key != "" || r.ID == "" {
		t.Errorf("%+v", r)
	}
	if err := f.nc.PublishRequest("protocol.query", "protocol.reply.shop", []byte(question)); err != nil {
		t.Fatal(err)
	}
	f.within("the journal has it", func() bool { return len(f.log.taken()) == 2 })
	s := f.doors.Stats()
	if s.Queries != 5 || s.Remembered != 3 || s.Outcomes["signed"] != 3 || s.Outcomes["accepted"] != 1 || s.Pending != 0 {
		t.Errorf("%+v", s)
	}
	f.lines.mu.Lock()
	defer f.lines.mu.Unlock()
	if l := f.lines.all; len(l) != 3 || l[0].Run != "run-1" || l[0].Source != "remembered" || l[0].Door != "query" || l[1].Subject != "protocol.query."+partner+".shop" ||
		l[0].Token == "" || l[0].Token == l[1].Token || f.lines.whom[0].UserEmail != "signed@example.com" {
		t.Errorf("%+v", l)
	}
}

// Doors that the server forbids do not open: no asker could use them.
func TestForbiddenDoor(t *testing.T) {
	for _, subject := range []string{"protocol.query", "protocol.query.>", "$SRV.>"} {
		deny := &server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{subject}}}
		srv := natstest.Serve(t, server.Options{Users: []*server.User{{Username: "u", Password: "p", Permissions: deny}}})
		err := newFixture(t).open(func(o *intake.Options) { o.Reply = natstest.Connect(t, srv, nats.UserInfo("u", "p")) })
		if subject == "$SRV.>" {
			if err != nil {
				t.Errorf("who may only not be counted: %v", err)
			}
		} else if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), subject) || !strings.Contains(err.Error(), "nats-reply-creds") {
			t.Errorf("%s is forbidden: %v", subject, err)
		}
	}
}

// An answer that cannot be read is never a no: the ask is journalled.
func TestUnreadableAnswer(t *testing.T) {
	f := newFixture(t)
	f.remember(messages.Query{UserEmail: "signed@example.com"}, messages.Result{Outcome: messages.Signed})
	for k, m := range f.memory.kept {
		m.Answer.Result = m.Answer.Result[:5]
		f.memory.kept[k] = m
	}
	f.start()
	if err := f.nc.PublishRequest("protocol.query", "_INBOX.x", []byte(question)); err != nil {
		t.Fatal(err)
	}
	f.within("the journal has it", func() bool { return len(f.log.taken()) == 1 })
}

func TestJournalled(t *testing.T) {
	f := newFixture(t)
	f.start(func(o *intake.Options) { o.Person = func(s string) journal.Hash { return journal.Hash{byte(len(s))} } })
	inbox := f.nc.NewInbox()
	heard := must(f.nc.SubscribeSync(inbox))(t)
	if err := f.nc.PublishRequest("protocol.query", inbox, []byte(question)); err != nil {
		t.Fatal(err)
	}
	f.within("the journal has it", func() bool { return len(f.log.taken()) == 1 })
	a := f.log.taken()[0]
	if a.Reply != inbox || a.Door != journal.Await || a.Token == "" || a.Partner != partner || a.Persons[0] != (journal.Hash{18}) || messages.EncodingOf(a.Encoding) != messages.JSON {
		t.Errorf("%+v", a)
	}
	if q, _, err := messages.DecodeQuery(a.Query, ""); err != nil || q.ID != "mine" || q.Partner != partner || f.log.queries[0].ID != "mine" {
		t.Errorf("%+v, %v", q, err)
	}
	f.within("nothing is pending", func() bool { return f.doors.Stats().Pending == 0 })
	if m, err := heard.NextMsg(20 * time.Millisecond); err == nil {
		t.Errorf("the door replied: %s", m.Data)
	}
	if codes := f.lines.codes(); codes != nil {
		t.Errorf("lines %v", codes)
	}
}

func TestNotTaken(t *testing.T) {
	for name, set := range map[string]func(*log){
		"not taken":    func(l *log) { l.refuses = journal.ErrFull },
		"never stored": func(l *log) { l.fails = journal.ErrEnded },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.log.set(set)
			f.start()
			for _, body := range []string{question, `{"user_email":"a@b.cn","reply_to":"protocol.reply.shop"}`} {
				r, m := f.ask("protocol.query", body)
				if r.Outcome != messages.Unknown || r.Code != messages.Overloaded || r.RetryAfterMs != 1000 || !r.Retryable || r.Message == "" || m.Header.Get("Nats-Service-Error-Code") != "503" {
					t.Errorf("%+v %v", r, m.Header)
				}
			}
			if s := f.doors.Stats(); s.Overloaded != 2 || s.Pending != 0 || !slices.Equal(f.lines.codes(), []string{"unknown OVERLOADED", "unknown OVERLOADED"}) {
				t.Errorf("%+v %v", s, f.lines.codes())
			}
		})
	}
}

func TestNoRoom(t *testing.T) {
	f := newFixture(t)
	f.log.set(func(l *log) { l.holds = true })
	f.start(func(o *intake.Options) { o.Most = 1 })
	if err := f.nc.PublishRequest("protocol.query", "_INBOX.x", []byte(question)); err != nil {
		t.Fatal(err)
	}
	if r, _ := f.ask("protocol.query", question); r.Code != messages.Overloaded {
		t.Errorf("%+v", r)
	}
	f.log.release(nil)
	f.within("there is room again", func() bool { return f.doors.Stats().Pending == 0 })
	if r, _ := f.ask("protocol.query", `{"user_email":"a@b.cn","reply_to":"protocol.reply.shop"}`); r.Outcome != messages.Accepted {
		t.Errorf("%+v", r)
	}
}

// The journal is away: awaiting askers still get their replies in time.
func TestDeadlineWithoutJournal(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.log.set(func(l *log) { l.holds = true })
	f.start()
	q := messages.Query{ID: "mine", UserEmail: "a@b.cn", DeadlineMs: time.Now().Add(300 * time.Millisecond).UnixMilli()}
	r, _ := f.ask("protocol.query", string(must(q.Encode(messages.JSON))(t)))
	if r.Outcome != messages.Unknown || r.Code != messages.DeadlinePassed || r.ID != "mine" || r.RetryAfterMs != 0 {
		t.Errorf("%+v", r)
	}
	if late := time.Since(time.UnixMilli(q.DeadlineMs)); late < -time.Millisecond || late > 4*time.Second {
		t.Errorf("%v late", late)
	}
	if s := f.doors.Stats(); s.Late != 1 || s.Pending != 1 {
		t.Errorf("%+v", s)
	}
	f.log.release(errors.New("gone")) // says nothing more
	f.within("nothing is pending", func() bool { return f.doors.Stats().Pending == 0 })
	if codes := f.lines.codes(); !slices.Equal(codes, []string{"unknown DEADLINE"}) {
		t.Errorf("lines %v", codes)
	}
}

func TestRefusedAtTheDoor(t *testing.T) {
	f := newFixture(t)
	f.start()
	r, m := f.ask("protocol.query."+partner, `{"id":"mine","key":"k","user_email":"a@b.cn","partner":"`+partner2+`"}`)
	if r.Outcome != messages.Refused || r.Code != messages.NotAllowed || r.ID != "mine" || r.Key != "k" || m.Header.Get("Nats-Service-Error-Code") != "403" || m.Header.Get("Nats-Service-Error") != "NOT_ALLOWED" {
		t.Errorf("%+v %v", r, m.Header)
	}
	// To a durable subject it goes until it is stored.
	if err := f.nc.PublishRequest("protocol.query", "protocol.reply.shop", []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	f.within("a durable reply", func() bool { return f.stored(f.names.Stream(messages.Replies)) == 1 })
	if m := f.last(messages.Replies); m.Subject != "protocol.reply.shop" || m.Header.Get("Nats-Msg-Id") == "" {
		t.Errorf("%s %v", m.Subject, m.Header)
	}
	f.counted(func(s intake.Stats) bool { return s.Refused == 2 && s.Outcomes["refused"] == 2 })
	if n := len(f.log.taken()); n != 0 {
		t.Errorf("%d are journalled", n)
	}
	f.lines.mu.Lock()
	defer f.lines.mu.Unlock()
	if l, who := f.lines.all[0], f.lines.whom[0]; l.Code != messages.NotAllowed || l.Token == "" || who.UserEmail != "a@b.cn" || who.Partner != partner2 || who.Key != "" {
		t.Errorf("%+v %+v", l, who)
	}
}

// Replies never go where a worker's rights reach and the asker's do not. Garbage that cannot be
// replied to is a dead letter, as soon as their stream is there.
func TestReplyAttacks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start()
	attacks := []string{"$JS.API.STREAM.DELETE.PROTOCOL_JOURNAL", "$SYS.x", "protocol.followed.AAAA", "protocol.journal.x", "_INBOX_wk.abc", "other.subject"}
	for _, to := range attacks {
		heard := must(f.nc.SubscribeSync(to))(t)
		if err := f.nc.PublishRequest("protocol.query", to, []byte(question)); err != nil {
			t.Fatal(err)
		}
		if m, err := heard.NextMsg(20 * time.Millisecond); err == nil {
			t.Errorf("%s was published to: %s", to, m.Data)
		}
	}
	if err := f.nc.Publish("protocol.query", []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	f.within("all are read", func() bool { return f.doors.Stats().Queries == uint64(len(attacks)+1) })
	f.dead(-1)
	f.within("a dead letter for each", func() bool { return f.stored(f.names.Stream(messages.Dead)) == len(attacks)+1 })
	m := f.last(messages.Dead)
	if m.Subject != "protocol.dead.unreadable" || string(m.Data) != "garbage" || m.Header.Get("Protocol-Reason") == "" || m.Header.Get("Protocol-Subject") != "protocol.query" ||
		m.Header.Get("Protocol-Door") != "query" || !strings.HasSuffix(m.Header.Get("Nats-Msg-Id"), "/unreadable") {
		t.Errorf("%s %v %s", m.Subject, m.Header, m.Data)
	}
	f.counted(func(s intake.Stats) bool { return s.Refused == 7 && s.Letters == 7 && s.Lost == 0 })
}

// A refusal is one line of the log, also if it has no receiver, and many alike make no more lines.
func TestOneLineForARefusal(t *testing.T) {
	f := newFixture(t)
	f.dead(-1)
	var said bytes.Buffer
	f.start(func(o *intake.Options) { o.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	for range 50 {
		f.ask("protocol.query", "garbage")
	}
	attack := `{"user_email":"signed@example.com","reply_to":"$JS.API.STREAM.DELETE.X"}`
	if err := f.nc.Publish("protocol.query", []byte(attack)); err != nil {
		t.Fatal(err)
	}
	f.submit("protocol.submit", attack)
	f.within("two dead letters", func() bool { return f.doors.Stats().Letters == 2 && f.doors.Stats().Refused == 52 })
	f.closed()
	if n := strings.Count(said.String(), "\n"); n != 3 || strings.Count(said.String(), `msg="dead letter"`) != 2 {
		t.Errorf("%d lines, want 3, two of them of dead letters, a WARN and an ERROR:\n%s", n, said.String())
	}
}

func TestServiceInfo(t *testing.T) {
	f := newFixture(t)
	f.start(func(o *intake.Options) { o.Owner, o.Version = "me", "1.2.3" })
	m := must(f.nc.Request("$SRV.INFO."+messages.ServiceName, nil, time.Minute))(t)
	for _, want := range []string{`"owner":"me"`, `"version":"1.2.3"`, `"queue_group":"workers"`, micro.InfoResponseType} {
		if !strings.Contains(string(m.Data), want) {
			t.Errorf("no %s in %s", want, m.Data)
		}
	}
	if m := must(f.nc.Request("$SRV.STATS."+messages.ServiceName, nil, time.Minute))(t); !strings.Contains(string(m.Data), `"pending_bytes":0`) {
		t.Errorf("%s", m.Data)
	}
}

// While closing, the door still takes what had arrived; after that it has no responders.
func TestCloseQueryDoor(t *testing.T) {
	f := newFixture(t)
	f.log.set(func(l *log) { l.holds = true })
	f.start()
	inbox := f.nc.NewInbox()
	heard := must(f.nc.SubscribeSync(inbox))(t)
	for range 100 {
		if err := f.nc.PublishRequest("protocol.query", inbox, []byte(question)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	f.closed()
	if n := len(f.log.taken()); n != 100 {
		t.Errorf("%d taken", n)
	}
	for i := range 100 { // the journal was away until the end
		m, err := heard.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatalf("reply %d: %v", i, err)
		}
		if r, _, err := messages.DecodeResult(m.Data, ""); err != nil || r.Code != messages.Overloaded {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if _, err := f.nc.Request("protocol.query", []byte(question), time.Minute); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("%v", err)
	}
}

// slowStream is a stream whose acknowledgements take a moment.
type slowStream struct{ intake.Stream }

func (s slowStream) Go(m *nats.Msg, within time.Duration, done func(uint64, error)) error {
	return s.Stream.Go(m, within, func(sequence uint64, err error) { time.AfterFunc(5*time.Millisecond, func() { done(sequence, err) }) })
}

// What the query door has to store is stored before the worker ends: there is no other copy.
func TestCloseStoresReplies(t *testing.T) {
	f := newFixture(t)
	f.log.set(func(l *log) { l.holds = true })
	f.start(func(o *intake.Options) { o.Replies = slowStream{o.Replies} })
	for _, body := range []string{"a", "b", "c", "d", question} { // refusals, and what the journal never took
		if err := f.nc.PublishRequest("protocol.query."+partner+".shop", "protocol.reply.shop", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	f.closed()
	if n, lost := f.stored(f.names.Stream(messages.Replies)), f.doors.Stats().Lost; n != 5 || lost != 0 {
		t.Errorf("%d of 5 are stored, %d lost", n, lost)
	}
}
