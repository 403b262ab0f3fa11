// The stream's door on a real JetStream.

package intake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/journal"
)

func TestSubmitted(t *testing.T) {
	f := newFixture(t)
	f.log.set(func(l *log) { l.holds = true })
	f.remember(messages.Query{UserEmail: "signed@example.com"}, messages.Result{Outcome: messages.Signed})
	f.start()
	f.submit("protocol.submit."+partner+".shop", question)
	f.submit("protocol.submit", `{"user_email":"a@b.cn","reply_to":"protocol.reply.other"}`, "Nats-Msg-Id", "theirs")
	f.submit("protocol.redrive."+partner, `{"user_email":"c@d.cn"}`, "Nats-Msg-Id", "5-6/r1", "Protocol-Subject", "protocol.submit", "Protocol-Id", "again", "Protocol-Redriven", "1")
	f.within("three are journalled", func() bool { return len(f.log.taken()) == 3 })
	if n := f.stored(f.submitted()); n != 3 {
		t.Errorf("%d left in the stream before they were stored", n)
	}
	f.log.release(nil)
	f.within("they are acknowledged", func() bool { return f.stored(f.submitted()) == 0 })
	for i, want := range []struct{ token, reply, asker, id string }{
		{"1-", "protocol.reply.shop", "shop", "mine"}, {"m", "protocol.reply.other", "", "theirs"}, {"5-6/r1", "", "", "again"},
	} {
		a := f.log.taken()[i]
		if !strings.HasPrefix(a.Token, want.token) || a.Reply != want.reply || a.Asker != want.asker || a.Door != journal.Submit || f.log.queries[i].ID != want.id {
			t.Errorf("%d: %+v, id %s", i, a, f.log.queries[i].ID)
		}
	}
	if s := f.doors.Stats(); s.Submitted != 3 || s.Redelivered != 0 || s.Pending != 0 || s.Remembered != 0 {
		t.Errorf("%+v", s)
	}
}

// What is pending is kept from others, however long the journal is away: the server is given signs
// of life, several in an AckWait.
func TestPendingIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if err := f.js.DeleteConsumer(t.Context(), f.submitted(), messages.ConsumerSubmitted); err != nil {
		t.Fatal(err)
	}
	f.consumer(300 * time.Millisecond)
	f.log.set(func(l *log) { l.holds = true })
	signs := must(f.nc.SubscribeSync("$JS.ACK." + f.submitted() + ".>"))(t)
	f.start()
	f.submit("protocol.submit", question)
	for range 5 {
		if m, err := signs.NextMsg(20 * time.Second); err != nil || string(m.Data) != "+WPI" {
			t.Fatalf("%v, %v", m, err)
		}
	}
	f.log.release(nil)
	f.within("it is acknowledged", func() bool { return f.stored(f.submitted()) == 0 })
}

func TestDeliveredAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.log.set(func(l *log) { l.fails = journal.ErrEnded })
	f.start()
	f.submit("protocol.submit", question)
	f.within("it came again", func() bool { return len(f.log.taken()) >= 2 })
	asks := f.log.taken()
	if asks[0].Token != asks[1].Token {
		t.Errorf("tokens %s and %s", asks[0].Token, asks[1].Token)
	}
	// It was stored after all, as the log says.
	f.memory.mu.Lock()
	f.memory.known[asks[0].Token] = true
	f.memory.mu.Unlock()
	f.within("it is acknowledged", func() bool { return f.stored(f.submitted()) == 0 })
	if s := f.doors.Stats(); s.Redelivered == 0 {
		t.Errorf("%+v", s)
	}
}

// What its sender stores again, as its acknowledgement was lost, is one ask; another asker's under
// the same message id is another.
func TestStoredAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start()
	shop, till := "protocol.submit."+partner+".shop", "protocol.submit."+partner+".till"
	f.submit(shop, question, "Nats-Msg-Id", "order-17")
	f.within("it is journalled", func() bool { return len(f.log.taken()) == 1 && f.stored(f.submitted()) == 0 })
	f.memory.mu.Lock()
	f.memory.known[f.log.taken()[0].Token] = true
	f.memory.mu.Unlock()
	again := must(f.js.Stream(t.Context(), f.submitted()))(t)
	config := again.CachedInfo().Config
	config.Duplicates = 100 * time.Millisecond
	must(f.js.UpdateStream(t.Context(), config))(t)
	store := func(subject string) {
		f.within("the server takes it", func() bool {
			m := &nats.Msg{Subject: subject, Data: []byte(question), Header: nats.Header{"Nats-Msg-Id": {"order-17"}}}
			return !must(f.js.PublishMsg(t.Context(), m))(t).Duplicate
		})
	}
	store(shop)
	store(till)
	f.within("both are acknowledged", func() bool { return f.doors.Stats().Submitted == 3 && f.stored(f.submitted()) == 0 })
	f.memory.mu.Lock()
	defer f.memory.mu.Unlock()
	if asks := f.log.taken(); len(asks) != 2 || asks[1].Asker != "till" || asks[1].Near != f.memory.near || asks[0].Near == asks[1].Near {
		t.Errorf("journalled %+v, looked for what is near %+v", asks, f.memory.near)
	}
}

// While the journal takes nothing, no more is pulled than there is room for.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.log.set(func(l *log) { l.refuses = journal.ErrQueueFull })
	for i := range 600 {
		f.submit("protocol.submit", fmt.Sprintf(`{"id":"%d","user_email":"a@b.cn"}`, i))
	}
	f.start()
	f.within("it is tried again", func() bool { return f.log.tried() >= 3 })
	c := must(f.js.Consumer(t.Context(), f.submitted(), messages.ConsumerSubmitted))(t)
	if info := must(c.Info(t.Context()))(t); info.NumAckPending > 2*256 || f.doors.Stats().Pending != 1 {
		t.Errorf("%d taken, %+v", info.NumAckPending, f.doors.Stats())
	}
	f.log.set(func(l *log) { l.refuses = nil })
	f.within("all are acknowledged", func() bool { return f.stored(f.submitted()) == 0 })
	f.log.set(func(l *log) { l.holds = true })
	for i := range 20 {
		f.submit("protocol.submit", fmt.Sprintf(`{"id":"%d","user_email":"a@b.cn"}`, i))
	}
	f.within("they are taken", func() bool { return f.doors.Stats().Pending == 20 })
	f.log.release(nil)
	f.within("all are acknowledged", func() bool { return f.stored(f.submitted()) == 0 })
}

func TestForget(t *testing.T) {
	f := newFixture(t)
	f.dead(-1)
	f.start()
	f.submit("protocol.forget", "000102030405060708090a0b0c0d0e0f")
	f.within("it is journalled", func() bool { return f.stored(f.submitted()) == 0 })
	f.log.set(func(l *log) {
		if len(l.persons) != 1 || l.persons[0] != (journal.Hash{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}) {
			t.Errorf("%x", l.persons)
		}
	})
	for _, body := range []string{"", "zhang.san@example.com, who is a person", "0001", "000102030405060708090a0b0c0d0e0f0", "00000000000000000000000000000000"} {
		f.submit("protocol.forget", body)
	}
	f.within("all else is dead", func() bool { return f.stored(f.names.Stream(messages.Dead)) == 5 && f.stored(f.submitted()) == 0 })
	if m := f.last(messages.Dead); m.Subject != "protocol.dead.unreadable" || m.Header.Get("Protocol-Subject") != "protocol.forget" {
		t.Errorf("%s %v", m.Subject, m.Header)
	}
	f.counted(func(s intake.Stats) bool { return s.Forgets == 1 && s.Letters == 5 })
}

// A full stream of dead letters loses nothing: what it does not take stays where it was.
func TestLettersWhereDeadIsFull(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start()
	for _, id := range []string{"one", "two"} {
		f.submit("protocol.submit", `{"id":"`+id+`","user_email":"a@b.cn","reply_to":"protocol.followed.x"}`)
	}
	f.submit("protocol.submit", question)
	f.within("the good one is journalled", func() bool { return len(f.log.taken()) == 1 && f.stored(f.submitted()) == 2 })
	f.dead(1)
	f.within("one letter is written", func() bool { return f.stored(f.names.Stream(messages.Dead)) == 1 && f.stored(f.submitted()) == 1 })
	f.within("the other is tried again", func() bool { return f.doors.Stats().Redelivered >= 3 })
	if n := f.stored(f.submitted()); n != 1 {
		t.Errorf("%d left", n)
	}
	s := must(f.js.Stream(t.Context(), f.names.Stream(messages.Dead)))(t)
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.within("both are written", func() bool { return f.stored(f.submitted()) == 0 })
	f.counted(func(s intake.Stats) bool { return s.Refused == 2 && s.Letters == 2 })
	if codes := f.lines.codes(); len(codes) != 2 {
		t.Errorf("lines of %v", codes)
	}
}

// A refusal goes to where the reply would have gone.
func TestRefusedSubmit(t *testing.T) {
	f := newFixture(t)
	f.dead(-1)
	f.start()
	inbox := f.nc.NewInbox()
	heard := must(f.nc.SubscribeSync(inbox))(t)
	f.submit("protocol.submit."+partner+".shop", "garbage")
	f.within("a durable reply", func() bool { return f.stored(f.names.Stream(messages.Replies)) == 1 && f.stored(f.submitted()) == 0 })
	m := f.last(messages.Replies)
	if r, _, err := messages.DecodeResult(m.Data, m.Header.Get("Content-Type")); err != nil || m.Subject != "protocol.reply.shop" || r.Code != messages.BadRequest || !strings.HasPrefix(m.Header.Get("Nats-Msg-Id"), "1-") {
		t.Errorf("%s %v %+v %v", m.Subject, m.Header, r, err)
	}
	f.submit("protocol.submit", `{"user_email":"a@b.cn","partner":"2088999999999999","reply_to":"`+inbox+`"}`)
	if m, err := heard.NextMsg(10 * time.Second); err != nil || m.Header.Get("Nats-Service-Error") != messages.NotAllowed {
		t.Errorf("%v", err)
	}
	f.within("it is acknowledged", func() bool { return f.stored(f.submitted()) == 0 })
	f.counted(func(s intake.Stats) bool { return s.Refused == 2 && s.Letters == 0 && s.Outcomes["refused"] == 2 })
}

// A reply that its stream refuses for good is a dead letter.
func TestRefusalThatIsRefused(t *testing.T) {
	f := newFixture(t)
	f.dead(-1)
	must(f.js.UpdateStream(t.Context(), jetstream.StreamConfig{Name: f.names.Stream(messages.Replies), Subjects: f.names.Captures(messages.Replies),
		Storage: jetstream.MemoryStorage, MaxMsgSize: 20, Retention: jetstream.WorkQueuePolicy}))(t)
	f.start()
	f.submit("protocol.submit."+partner+".shop", "garbage")
	f.within("a dead letter", func() bool { return f.stored(f.names.Stream(messages.Dead)) == 1 && f.stored(f.submitted()) == 0 })
	if m := f.last(messages.Dead); m.Subject != "protocol.dead.reply_refused" || !strings.Contains(m.Header.Get("Protocol-Reason"), "cannot be published") {
		t.Errorf("%s %v", m.Subject, m.Header)
	}
}

// What cannot be journalled is no message that comes for ever.
func TestUnfit(t *testing.T) {
	f := newFixture(t)
	f.dead(-1)
	f.log.set(func(l *log) { l.refuses = fmt.Errorf("%w: too long", journal.ErrInvalid) })
	f.start()
	f.submit("protocol.submit", question)
	f.within("a dead letter", func() bool { return f.stored(f.names.Stream(messages.Dead)) == 1 && f.stored(f.submitted()) == 0 })
	if r, _ := f.ask("protocol.query", question); r.Code != messages.BadRequest || r.Outcome != messages.Refused {
		t.Errorf("%+v", r)
	}
}

// While closing, the door gives back what is not journalled, at once and for any other worker.
func TestCloseSubmitted(t *testing.T) {
	for name, set := range map[string]func(*log){
		"held":      func(l *log) { l.holds = true },
		"not taken": func(l *log) { l.refuses = journal.ErrFull },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.log.set(set)
			f.start()
			for i := range 20 {
				f.submit("protocol.submit", fmt.Sprintf(`{"id":"%d","user_email":"a@b.cn"}`, i))
			}
			f.within("some are tried", func() bool { return f.log.tried() > 0 })
			f.closed()
			f.log = &log{}
			f.start()
			f.within("another takes them", func() bool { return f.stored(f.submitted()) == 0 })
			if n := len(f.log.taken()); n != 20 {
				t.Errorf("%d journalled", n)
			}
		})
	}
}

// The consumer is waited for, and looked for again when it is made anew.
func TestConsumerComesAndGoes(t *testing.T) {
	f := newFixture(t)
	gone := func() {
		t.Helper()
		if err := f.js.DeleteConsumer(t.Context(), f.submitted(), messages.ConsumerSubmitted); err != nil {
			t.Fatal(err)
		}
	}
	gone()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	nc := f.connect()
	js := must(jetstream.New(nc))(t)
	d := must(intake.New(intake.Options{Reply: nc, Consumers: js, Journal: f.log, Memory: f.memory, Letters: never{}, Replies: never{}, Lines: f.lines, Names: f.names, Partners: []string{partner}}))(t)
	if err := d.Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("opened: %v", err)
	}
	if _, err := f.nc.Request("protocol.query", []byte(question), time.Minute); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("the query door stayed open: %v", err)
	}
	f.consumer(time.Second)
	f.start()
	f.submit("protocol.submit", question)
	f.within("it is taken", func() bool { return f.stored(f.submitted()) == 0 })
	gone()
	f.consumer(time.Second)
	f.submit("protocol.submit", question)
	f.within("it is taken", func() bool { return f.stored(f.submitted()) == 0 })
}

// Once it is closed and Run has returned, nothing of it goes on.
func TestNothingRunsAfterRun(t *testing.T) {
	f := newFixture(t)
	f.remember(messages.Query{UserEmail: "signed@example.com"}, messages.Result{Outcome: messages.Signed})
	cycle := func() {
		f.start()
		f.ask("protocol.query", question)
		f.ask("protocol.query", "garbage")
		f.submit("protocol.submit", question)
		f.submit("protocol.submit", "garbage") // there is no stream of dead letters
		f.within("one is left", func() bool { return f.stored(f.submitted()) == 1 })
		f.closed()
		if err := must(f.js.Stream(t.Context(), f.submitted()))(t).Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cycle() // what is begun once for all
	before := goleak.IgnoreCurrent()
	cycle()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// never is a stream that is away.
type never struct{}

func (never) Go(*nats.Msg, time.Duration, func(uint64, error)) error { return nats.ErrConnectionClosed }

func TestOptions(t *testing.T) {
	f := newFixture(t)
	nc := f.connect()
	right := intake.Options{Reply: nc, Consumers: must(jetstream.New(nc))(t), Journal: f.log, Memory: f.memory, Letters: never{}, Replies: never{}, Lines: f.lines, Names: f.names, Partners: []string{partner}}
	for name, change := range map[string]func(*intake.Options){
		"no journal":      func(o *intake.Options) { o.Journal = nil },
		"no names":        func(o *intake.Options) { o.Names = messages.Names{} },
		"no partner":      func(o *intake.Options) { o.Partners = nil },
		"no such partner": func(o *intake.Options) { o.Partners = []string{"2"} },
		"default partner": func(o *intake.Options) { o.DefaultPartner = partner2 },
		"reply to all":    func(o *intake.Options) { o.ReplyAllow = []string{"protocol.>"} },
	} {
		o := right
		change(&o)
		if _, err := intake.New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	must(intake.New(right))(t)
}
