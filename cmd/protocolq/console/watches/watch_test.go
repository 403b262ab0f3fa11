package watches

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"protocolq/messages"
)

var begin = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

// Every hour for a day, then every six: at most 76 questions. Two processes plan the same times.
func TestNext(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{
		-time.Minute:            time.Hour, // a slow clock
		0:                       time.Hour,
		59 * time.Minute:        time.Hour,
		time.Hour:               2 * time.Hour,
		time.Hour + time.Second: 2 * time.Hour,
		5*time.Hour + 1:         6 * time.Hour,
		23*time.Hour + 1:        24 * time.Hour,
		24 * time.Hour:          30 * time.Hour,
		30*time.Hour + 5:        36 * time.Hour,
		10*24*time.Hour + 1:     10*24*time.Hour + 6*time.Hour,
	} {
		if got := next(begin, begin.Add(after), time.Hour).Sub(begin); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
	n := 0
	for at := begin; at.Sub(begin) < lasts*time.Hour; at = next(begin, at, time.Hour) {
		n++
	}
	if n != 76 {
		t.Errorf("%d questions", n)
	}
}

func TestAdmit(t *testing.T) {
	query := func(i int) messages.Query { return messages.Query{UserEmail: fmt.Sprintf("%d@example.com", i)} }
	many := func(n int, s state, age time.Duration) (own []found) {
		for i := range n {
			q := query(i)
			f := found{record: record{Query: &q, BegunMs: begin.Add(-age).UnixMilli()}}
			if s != watching {
				f.end(s, begin)
			}
			own = append(own, f)
		}
		return own
	}
	for name, tt := range map[string]struct {
		own  []found
		q    messages.Query
		want note
	}{
		"the first":                 {nil, query(1), begunNote},
		"one of many":               {many(mostOpen-1, watching, 0), query(1000), begunNote},
		"as many as may be":         {many(mostOpen, watching, 0), query(1000), manyNote},
		"the same":                  {many(mostOpen, watching, 0), messages.Query{UserEmail: "7@Example.com"}, alreadyNote},
		"of another partner":        {many(9, watching, 0), messages.Query{UserEmail: "7@example.com", Partner: "2088000000000001"}, begunNote},
		"the same, which has ended": {many(9, signed, 0), query(7), begunNote},
		"many a day":                {many(mostADay, cancelled, 0), query(1000), dayNote},
		"the next day":              {many(mostADay, cancelled, 24*time.Hour), query(1000), begunNote},
	} {
		if got := admit(tt.own, tt.q, begin); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestDecide(t *testing.T) {
	n, at := name{"o1", "w1"}, begin.Add(2*time.Hour)
	dueMs := at.UnixMilli()
	for name, tt := range map[string]struct {
		change func(*record)
		now    time.Time
		may    bool
		want   step
		as     state
	}{
		"due":                              {func(*record) {}, at, true, submit, ""},
		"late, as no console ran":          {func(*record) {}, at.Add(30 * time.Hour), true, submit, ""},
		"planned later than is written":    {func(r *record) { r.DueMs -= 3600_000 }, at, true, submit, ""},
		"over":                             {func(r *record) { r.end(signed, begin) }, at, true, leave, ""},
		"cancelled":                        {func(r *record) { r.end(cancelled, begin) }, at, true, leave, ""},
		"two weeks":                        {func(*record) {}, begin.Add(lasts * time.Hour), true, finish, over},
		"the user may not":                 {func(*record) {}, at, false, finish, lost},
		"the process died before it asked": {func(r *record) { r.Open, r.DueMs = n.question(dueMs), dueMs+3600_000 }, at, true, again, ""},
		"done before":                      {func(r *record) { r.DueMs = dueMs + 3600_000 }, at, true, replan, ""},
		"of long ago":                      {func(r *record) { r.DueMs = dueMs + 3600_000 }, at.Add(2 * time.Hour), true, leave, ""},
		"it comes again, and was asked":    {func(r *record) { r.Open, r.Sent, r.DueMs = n.question(dueMs), true, dueMs+3600_000 }, at, true, replan, ""},
		"no reply yet":                     {func(r *record) { r.Open, r.Sent, r.AskedMs = n.question(dueMs-3600_000), true, dueMs-3600_000 }, at, true, skip, ""},
		"the last perhaps never left":      {func(r *record) { r.Open, r.AskedMs = n.question(dueMs-3600_000), dueMs-3600_000 }, at, true, submit, ""},
		"no reply for a day":               {func(r *record) { r.Open, r.Sent, r.AskedMs = n.question(1000), true, dueMs-waitFor.Milliseconds() }, at, true, submit, ""},
	} {
		r := record{Query: &messages.Query{UserEmail: "a@example.com"}, BegunMs: begin.UnixMilli(), DueMs: dueMs}
		tt.change(&r)
		if got, as := decide(n, &r, dueMs, tt.now, time.Hour, tt.may); got != tt.want || as != tt.as {
			t.Errorf("%s: %v %q, want %v %q", name, got, as, tt.want, tt.as)
		}
	}
}

// A watch ends only by a "yes" of Alipay, or if asking again does not help. Then it holds no
// person.
func TestHear(t *testing.T) {
	yes := true
	for name, tt := range map[string]struct {
		r    messages.Result
		want state
	}{
		"signed":      {messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, UserID: "2088611907349595"}, signed},
		"not signed":  {messages.Result{Outcome: messages.NotSigned}, watching},
		"abnormal":    {messages.Result{Outcome: messages.Abnormal}, watching},
		"unknown":     {messages.Result{Outcome: messages.Unknown, Code: "SYSTEM_ERROR", Retryable: true}, watching},
		"no account":  {messages.Result{Outcome: messages.Refused, Code: "ILLEGAL_EMAIL"}, refused},
		"forgotten":   {messages.Result{Outcome: messages.Unknown, Code: messages.Forgotten}, forgotten},
		"new outcome": {messages.Result{Outcome: "postponed"}, watching},
	} {
		r := record{Query: &messages.Query{UserEmail: "canary@example.com"}, Shown: "c***@e***.com", Open: "id", Sent: true}
		tt.r.ID = "id"
		r.hear(tt.r, begin)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if r.State != tt.want || r.Open != "" || r.Sent || strings.Contains(string(data), "2088611907349595") {
			t.Errorf("%s: %s", name, data)
		}
		if open := strings.Contains(string(data), "canary"); open != (tt.want == watching) {
			t.Errorf("%s: whom it is about is kept: %v", name, open)
		}
		if masked := strings.Contains(string(data), "***"); masked != (tt.want != forgotten) {
			t.Errorf("%s: the mask is kept: %v", name, masked)
		}
	}
	late := record{Query: &messages.Query{}, Open: "newer", Sent: true}
	late.hear(messages.Result{ID: "older", Outcome: messages.NotSigned}, begin)
	if late.Open != "newer" || !late.Sent {
		t.Error("an earlier question's reply closes a later one")
	}
	// Others may be able to write among the page's replies, and ids are in events.
	q := messages.Query{Partner: "2088000000000001", UserEmail: "canary@example.com"}
	other := messages.Query{Partner: q.Partner, UserEmail: "li@example.com"}
	open := record{Query: &q, Open: "id", Sent: true}
	if open.hear(messages.Result{ID: "id", Outcome: messages.Signed, Question: other.QuestionText()}, begin) || open.State != watching || open.Open != "id" || open.Last != nil {
		t.Errorf("a reply to another question is heard: %+v", open)
	}
	if !open.hear(messages.Result{ID: "id", Outcome: messages.Signed, Question: q.QuestionText()}, begin) || open.State != signed {
		t.Errorf("its own is not: %+v", open)
	}
}

func TestNames(t *testing.T) {
	n := name{ownerOf("li@example.com"), "w1"}
	if got, ok := nameIn(n.question(begin.UnixMilli())); !ok || got != n || len(n.owner) != 16 {
		t.Errorf("%+v %v", got, ok)
	}
	if ownerOf("li") == ownerOf("lu") || strings.Contains(n.question(0), "li@") {
		t.Error("an owner is told from no other, or named")
	}
	for _, other := range []string{"", "page-abc", "watch-a-b", "watch-a-b-1-2", "watch-a.b-c-1", "watch--b-1", "booking-a-b-1"} {
		if n, ok := nameIn(other); ok {
			t.Errorf("%q is %+v", other, n)
		}
	}
}
