// From an entry to what is owed, and to what is published: tables.

package outbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/journal"
	"protocolq/worker/querylog"
)

const partner = "2088001122334455"

func namesOf(t testing.TB) *messages.Names {
	t.Helper()
	n, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return &n
}

func TestOwed(t *testing.T) {
	answer, crashed := &journal.Answer{Verdict: journal.Conclusive}, &journal.Answer{Verdict: journal.Crashed}
	ask := func(to string, door journal.Door, change ...func(*Ask)) *Duty {
		a := &Ask{Ask: &journal.Ask{Reply: to, Door: door}, Answer: answer}
		for _, c := range change {
			c(a)
		}
		return &Duty{Ask: a}
	}
	why := func(code string) func(*Ask) { return func(a *Ask) { a.Answer, a.Why = nil, code } }
	died := func(n int, s messages.Source) func(*Ask) {
		return func(a *Ask) { a.Answer, a.Deaths, a.Source = crashed, n, s }
	}
	replyTo := messages.Query{ReplyTo: "_INBOX.b"}
	tests := []struct {
		name string
		d    *Duty
		q    messages.Query
		want []kind
		dead string
	}{
		{"awaited", ask("_INBOX.a", journal.Await), messages.Query{}, []kind{inboxReply, askLine}, ""},
		{"durable", ask("protocol.reply.shop", journal.Submit), messages.Query{}, []kind{durableReply, askLine}, ""},
		{"nobody waits", ask("", journal.Submit), messages.Query{}, []kind{askLine}, ""},
		{"deadline, awaited", ask("_INBOX.a", journal.Await, why(messages.DeadlinePassed)), messages.Query{}, []kind{inboxReply, askLine}, ""},
		{"deadline, elsewhere", ask("_INBOX.b", journal.Await, why(messages.DeadlinePassed)), replyTo, []kind{inboxReply, askLine, deadLetter}, messages.DeadExpired},
		{"deadline, submitted", ask("", journal.Submit, why(messages.DeadlinePassed)), messages.Query{}, []kind{askLine, deadLetter}, messages.DeadExpired},
		{"conflict, submitted", ask("", journal.Submit, why(messages.KeyConflict)), messages.Query{}, []kind{askLine}, ""},
		{"crashed, awaited", ask("_INBOX.a", journal.Await, died(1, messages.Asked)), messages.Query{}, []kind{inboxReply, askLine}, ""},
		{"crashed, submitted", ask("_INBOX.a", journal.Submit, died(1, messages.Asked)), messages.Query{}, []kind{inboxReply, askLine, deadLetter}, messages.DeadCrashed},
		{"crashed before", ask("_INBOX.a", journal.Submit, died(3, messages.Remembered)), messages.Query{}, []kind{inboxReply, askLine}, ""},
		{"poison, awaited", ask("_INBOX.a", journal.Await, died(3, messages.Joined)), messages.Query{}, []kind{inboxReply, askLine, deadLetter}, messages.DeadPoison},
		{"run", &Duty{Run: &Run{Answer: answer}}, messages.Query{}, []kind{event, runLine}, ""},
		{"released", &Duty{Run: &Run{Answer: &journal.Answer{Verdict: journal.Released}}}, messages.Query{}, nil, ""},
		{"corrupt", &Duty{Corrupt: &Corrupt{}}, messages.Query{}, []kind{deadLetter}, ""},
	}
	for _, tt := range tests {
		if got := owed(tt.d, &tt.q, namesOf(t), 3); !slices.Equal(got, tt.want) {
			t.Errorf("%s: owed %v, want %v", tt.name, got, tt.want)
		}
		if tt.d.Ask != nil {
			if got := deadReason(tt.d.Ask, &tt.q, 3); got != tt.dead {
				t.Errorf("%s: dead letter %q, want %q", tt.name, got, tt.dead)
			}
		}
	}
}

// The deadline of an ask says how far its run has come.
func TestUnanswered(t *testing.T) {
	second := &journal.Begin{Run: "run-1", Attempt: 2, Before: journal.Outcome{Code: "SYSTEM_ERROR"}}
	deadline := messages.Message(messages.DeadlinePassed)
	result, err := messages.Result{V: 1, Outcome: messages.Unknown, Code: "SYSTEM_ERROR", Attempts: 5}.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	failed := &journal.Answer{Run: "run-1", Verdict: journal.Failed, Code: "SYSTEM_ERROR", Result: result}
	tests := []struct {
		name string
		a    Ask
		want messages.Result
		code string
	}{
		{"no run", Ask{Why: messages.DeadlinePassed}, messages.Result{V: 1, Outcome: messages.Unknown, Code: "DEADLINE", Message: deadline, Retryable: true}, "DEADLINE"},
		{"in the first attempt", Ask{Why: messages.DeadlinePassed, UnderWay: &journal.Begin{Run: "run-1", Attempt: 1}},
			messages.Result{V: 1, Run: "run-1", Outcome: messages.Unknown, Code: "DEADLINE", Message: deadline, Retryable: true, Attempts: 1}, "DEADLINE"},
		{"in the second attempt", Ask{Why: messages.DeadlinePassed, UnderWay: second}, messages.Result{V: 1, Run: "run-1", Outcome: messages.Unknown, Code: "DEADLINE",
			Message: deadline + "; the last attempt came to SYSTEM_ERROR", Retryable: true, Attempts: 2}, "SYSTEM_ERROR"},
		{"in the cool-down", Ask{Why: messages.DeadlinePassed, Failed: failed}, messages.Result{V: 1, Run: "run-1", Outcome: messages.Unknown, Code: "DEADLINE",
			Message: deadline + "; the last attempt came to SYSTEM_ERROR", Retryable: true, Attempts: 5}, "SYSTEM_ERROR"},
		{"conflict", Ask{Why: messages.KeyConflict, UnderWay: second}, messages.Result{V: 1, Outcome: messages.Refused, Code: "KEY_CONFLICT", Message: messages.Message(messages.KeyConflict)}, "SYSTEM_ERROR"},
		{"forgotten", Ask{Why: messages.Forgotten}, messages.Result{V: 1, Outcome: messages.Unknown, Code: "FORGOTTEN", Message: messages.Message(messages.Forgotten)}, "FORGOTTEN"},
		{"a code of a newer worker", Ask{Why: "NEW"}, messages.Result{V: 1, Outcome: messages.Unknown, Code: "NEW", Retryable: true}, "NEW"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, unanswered(&tt.a)); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
		if got := lastCode(&tt.a); got != tt.code {
			t.Errorf("%s: last code %s, want %s", tt.name, got, tt.code)
		}
	}
}

func TestOwn(t *testing.T) {
	made := time.UnixMilli(1795424398210)
	q := &messages.Query{ID: "i", Key: "k", Meta: map[string]string{"a": "b"}}
	unknown, refused := &messages.Result{Outcome: messages.Unknown}, &messages.Result{Outcome: messages.Refused}
	tests := []struct {
		name  string
		a     Ask
		r     *messages.Result
		after int64
		from  messages.Source
	}{
		{"conclusive", Ask{Answer: &journal.Answer{Verdict: journal.Conclusive}, Source: messages.Asked, RetryAfter: time.Minute}, &messages.Result{Outcome: messages.Signed}, 0, messages.Asked},
		{"failed", Ask{Answer: &journal.Answer{Verdict: journal.Failed}, Source: messages.Joined, RetryAfter: 30 * time.Second}, unknown, 30_000, messages.Joined},
		{"failed, the cool-down is over", Ask{Answer: &journal.Answer{Verdict: journal.Failed}, Source: messages.Joined}, unknown, 1, messages.Joined},
		{"failed by its settings", Ask{Answer: &journal.Answer{Verdict: journal.Failed}, Source: messages.Joined, RetryAfter: time.Minute}, refused, 0, messages.Joined},
		{"crashed", Ask{Answer: &journal.Answer{Verdict: journal.Crashed}, Source: messages.Remembered, RetryAfter: time.Hour}, unknown, 1000, messages.Remembered},
		{"halted", Ask{Why: messages.PartnerHalted, Source: messages.Asked, RetryAfter: time.Microsecond}, unknown, 1, ""},
		{"deadline", Ask{Why: messages.DeadlinePassed}, unknown, 0, ""},
	}
	for _, tt := range tests {
		want := messages.Own{ID: "i", Meta: q.Meta, AnsweredAtMs: made.UnixMilli(), RetryAfterMs: tt.after, Source: tt.from}
		if diff := cmp.Diff(want, own(&tt.a, q, tt.r, made)); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
}

func TestReplyHeaders(t *testing.T) {
	signed := messages.Result{Run: "run-1", Outcome: messages.Signed}
	own := func(code string) messages.Result { return messages.CodeResult(code) }
	tests := []struct {
		name string
		p    reply
		r    messages.Result
		want nats.Header
	}{
		{"plain", reply{to: "_INBOX.a", encoding: messages.MsgPack}, signed, nil},
		{"JSON", reply{to: "_INBOX.a", encoding: messages.JSON}, signed, nats.Header{"Content-Type": {"application/json"}, "Protocol-Outcome": {"signed"}, "Protocol-Run": {"run-1"}}},
		{"traced", reply{encoding: messages.MsgPack, trace: "00-x"}, signed, nats.Header{"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"signed"}, "Protocol-Run": {"run-1"}, "traceparent": {"00-x"}}},
		{"durable", reply{encoding: messages.MsgPack, durable: true, token: "tok"}, signed, nats.Header{"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"signed"}, "Protocol-Run": {"run-1"}, "Nats-Msg-Id": {"tok"}}},
		{"conflict", reply{encoding: messages.MsgPack}, own(messages.KeyConflict), nats.Header{"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"refused"}, "Nats-Service-Error-Code": {"409"}, "Nats-Service-Error": {"KEY_CONFLICT"}}},
		{"not allowed", reply{encoding: messages.MsgPack}, own(messages.NotAllowed), nats.Header{"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"refused"}, "Nats-Service-Error-Code": {"403"}, "Nats-Service-Error": {"NOT_ALLOWED"}}},
		{"refused by the gateway", reply{encoding: messages.MsgPack}, messages.Result{Outcome: messages.Refused}, nats.Header{"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"refused"}, "Nats-Service-Error-Code": {"400"}, "Nats-Service-Error": {"refused"}}},
		{"deadline", reply{encoding: messages.MsgPack}, own(messages.DeadlinePassed), nats.Header{"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"unknown"}, "Nats-Service-Error-Code": {"503"}, "Nats-Service-Error": {"DEADLINE"}}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.p.message(nil, &tt.r).Header); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, diff)
		}
	}
}

// The calls of a run are gathered from its begins and its answer; one whose member died is cut.
func TestCallsOfARun(t *testing.T) {
	at := func(s int) time.Time { return time.UnixMilli(1795424390000 + int64(s)*1000).UTC() }
	call := func(s int, code string) querylog.Attempt {
		return querylog.Attempt{At: at(s), Code: code, Total: 5 * time.Millisecond}
	}
	outcome := func(a querylog.Attempt) journal.Outcome { return journal.Outcome{Code: a.Code, Detail: a.Encode()} }
	begin := func(s, n int, before *querylog.Attempt, follows string) Begun {
		b := &journal.Begin{Attempt: n, Follows: follows}
		if before != nil {
			b.Before = outcome(*before)
		}
		return Begun{b, at(s)}
	}
	one, two := call(1, "SYSTEM_ERROR"), call(3, "")
	tests := []struct {
		name    string
		begins  []Begun
		last    []journal.Outcome
		verdict journal.Verdict
		want    []querylog.Attempt
		fails   bool
	}{
		{"one call", []Begun{begin(1, 1, nil, "")}, []journal.Outcome{outcome(one)}, journal.Conclusive, []querylog.Attempt{one}, false},
		{"tried again", []Begun{begin(1, 1, nil, ""), begin(3, 2, &one, "")}, []journal.Outcome{outcome(two)}, journal.Conclusive, []querylog.Attempt{one, two}, false},
		{"after a death", []Begun{begin(1, 1, nil, ""), begin(3, 2, nil, "run-0")}, []journal.Outcome{outcome(two)}, journal.Conclusive, []querylog.Attempt{{At: at(1), Cut: true}, two}, false},
		{"crashed", []Begun{begin(1, 1, nil, ""), begin(3, 2, &one, "")}, nil, journal.Crashed, []querylog.Attempt{one, {At: at(3), Cut: true}}, false},
		{"the begins are purged", nil, []journal.Outcome{outcome(one), outcome(two)}, journal.Failed, []querylog.Attempt{one, two}, false},
		{"the first begin is purged", []Begun{begin(3, 2, nil, "run-0")}, []journal.Outcome{outcome(two)}, journal.Conclusive, []querylog.Attempt{two}, false},
		{"no call was made, as the ask could not be read", []Begun{begin(1, 1, nil, ""), {&journal.Begin{Attempt: 2, Before: journal.Outcome{Code: "X"}}, at(3)}},
			[]journal.Outcome{{Code: "X"}}, journal.Failed, []querylog.Attempt{{At: at(1), Code: "X"}, {At: at(3), Code: "X"}}, false},
		{"a detail that nobody can read", []Begun{begin(1, 1, nil, "")}, []journal.Outcome{{Code: "X", Detail: []byte("?")}}, journal.Failed, []querylog.Attempt{{At: at(9), Code: "X"}}, true},
	}
	for _, tt := range tests {
		run := &Run{Answer: &journal.Answer{Run: "run-1", Verdict: tt.verdict, Attempts: tt.last}, Begins: tt.begins, Stored: at(9)}
		got, err := callsOf(run)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != tt.fails {
			t.Errorf("%s: %v, -want +got\n%s", tt.name, err, diff)
		}
		line, _ := runLineOf(run, &messages.Result{})
		if want := tt.want[0].At; !line.At.Equal(want) {
			t.Errorf("%s: the run begins at %v, want %v", tt.name, line.At, want)
		}
	}
}

// A line that would be too long keeps its newest calls.
func TestRunLineIsCut(t *testing.T) {
	var begins []Begun
	one := querylog.Attempt{At: time.UnixMilli(1795424390000), Code: strings.Repeat("X", 64), Class: "temp"}
	for n := range 200 {
		begins = append(begins, Begun{&journal.Begin{Attempt: n + 1, Before: journal.Outcome{Detail: one.Encode()}}, one.At})
	}
	line, err := runLineOf(&Run{Answer: &journal.Answer{Run: "run-1"}, Begins: begins, Stored: one.At}, &messages.Result{})
	if err != nil || len(line.Attempts) != querylog.MaxAttempts || line.Class != "temp" {
		t.Errorf("%d calls, %v", len(line.Attempts), err)
	}
	if _, err := line.Encode(); err != nil {
		t.Error(err)
	}
}

func TestAskLine(t *testing.T) {
	made := time.UnixMilli(1795424398210)
	a := &Ask{Ask: &journal.Ask{Token: "tok", Reply: "_INBOX.a", Door: journal.Await, Trace: "trace"}, Stored: made.Add(-time.Second), Source: messages.Asked,
		Why: messages.DeadlinePassed, UnderWay: &journal.Begin{Run: "run-1", Attempt: 1}}
	r := unanswered(a)
	want := querylog.Ask{Token: "tok", At: a.Stored, AnsweredAt: made, Run: "run-1", Door: "query", Subject: "protocol.query", Reply: "_INBOX.a", Outcome: "unknown", Code: "DEADLINE", Trace: "trace"}
	if got := askLineOf(a, &r, made, namesOf(t)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	a.Ask.Door, a.Answer = journal.Submit, &journal.Answer{Run: "run-1"}
	want.Door, want.Subject, want.Source = "submit", "protocol.submit", "asked"
	if got := askLineOf(a, &r, made, namesOf(t)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// The asker's name is part of who it is.
	a.Ask.Partner, a.Ask.Asker = "2088", "booking"
	for door, subject := range map[journal.Door]string{journal.Submit: "protocol.submit.2088.booking", journal.Await: "protocol.query.2088.booking"} {
		a.Ask.Door = door
		if got := askLineOf(a, &r, made, namesOf(t)).Subject; got != subject {
			t.Errorf("came by %s, want %s", got, subject)
		}
	}
}

func TestSourceOf(t *testing.T) {
	one, two := journal.Ref{Position: 1, Index: 1}, journal.Ref{Position: 1, Index: 2}
	for _, tt := range []struct {
		asked      journal.Ref
		remembered bool
		want       messages.Source
	}{{one, false, messages.Asked}, {two, false, messages.Joined}, {two, true, messages.Remembered}, {one, true, messages.Remembered}} {
		if got := SourceOf(one, tt.asked, tt.remembered); got != tt.want {
			t.Errorf("%v, remembered %t: %s, want %s", tt.asked, tt.remembered, got, tt.want)
		}
	}
}

func TestWaitAfter(t *testing.T) {
	var got []time.Duration
	for n := 1; n <= 8; n++ {
		got = append(got, waitAfter(n)/time.Millisecond)
	}
	if want := []time.Duration{50, 100, 200, 400, 800, 1600, 2000, 2000}; !slices.Equal(got, want) || waitAfter(1_000_000) != lastWait {
		t.Errorf("%v, want %v ms", got, want)
	}
}

// BenchmarkReply is what the reply to one more asker of a run costs, beside a Result that is
// encoded anew.
func BenchmarkReply(b *testing.B) {
	r := messages.Result{V: 1, Partner: partner, Run: "b7Kq0Zr1T5c9yD2mXw8LsE", Outcome: messages.Signed, ChargeAgent: new(true), RefundCharge: new(false),
		UserID: "20881234567890123456", IsSuccess: "T", Attempts: 1, AskedAtMs: 1795424398000, ExpiresAtMs: 1795424458210, Verified: messages.VerifiedSign}
	body, err := r.Encode(messages.MsgPack)
	if err != nil {
		b.Fatal(err)
	}
	o := messages.Own{ID: "order-20261123-000017", Source: messages.Joined, AnsweredAtMs: 1795424398210}
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		b.Run("shared/"+string(e), func(b *testing.B) {
			b.ReportAllocs()
			var known answers
			entry := &journal.Answer{Run: r.Run, Result: body}
			for b.Loop() {
				a, err := known.of(entry, "", partner)
				if err == nil {
					_, err = a.encode(e, o)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("anew/"+string(e), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read, _, err := messages.DecodeResult(body, string(messages.MsgPack))
				if err == nil {
					read.ID, read.Source, read.AnsweredAtMs = o.ID, o.Source, o.AnsweredAtMs
					_, err = read.Encode(e)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
