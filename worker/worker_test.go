// What an asker gets, by both doors, over a real server and a real socket to the practice gateway.

package worker_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// sameAnswer compares two replies of one run, without what is each asker's own.
var sameAnswer = cmpopts.IgnoreFields(messages.Result{}, "ID", "Source", "AnsweredAtMs", "RetryAfterMs", "Meta")

func TestOutcomes(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	yes, no := new(true), new(false)
	tests := []struct {
		part          string
		outcome       messages.Outcome
		code          string
		debit, refund *bool
		attempts      int
	}{
		{"signed", messages.Signed, "", yes, yes, 1},
		{"debit-only", messages.Signed, "", yes, no, 1},
		{"refund-only", messages.Signed, "", no, yes, 1},
		{"not-signed", messages.NotSigned, "", no, no, 1},
		{"no-sign-customer", messages.NotSigned, "NO_SIGN_CUSTOMER", nil, nil, 1},
		{"abnormal", messages.Abnormal, "NO_NORMAL_SIGN_CUSTOMER", nil, nil, 1},
		{"unknown", messages.Refused, "ILLEGAL_EMAIL", nil, nil, 1},
		{"illegal-sign", messages.Refused, "ILLEGAL_SIGN", nil, nil, 1},
		{"exterface-is-closed", messages.Refused, "EXTERFACE_IS_CLOSED", nil, nil, 1},
		{"illegal-access-switch-system", messages.Refused, "ILLEGAL_ACCESS_SWITCH_SYSTEM", nil, nil, 1},
		{"illegal-target-service", messages.Refused, "ILLEGAL_TARGET_SERVICE", nil, nil, 1},
		{"system-error-2", messages.Signed, "", yes, yes, 3},
		{"system-error", messages.Unknown, "SYSTEM_ERROR", nil, nil, 5},
		{"p", messages.Unknown, "GATEWAY_UNCLEAR", nil, nil, 1},
		{"unlisted", messages.Unknown, "", nil, nil, 1},
		{"fault-half-body-1", messages.Signed, "", yes, yes, 2},
		{"fault-html", messages.Unknown, "GATEWAY_UNREADABLE", nil, nil, 5},
	}
	for _, tt := range tests {
		t.Run(tt.part, func(t *testing.T) {
			r := f.ask(messages.Query{UserEmail: email(tt.part, "x"), ID: "my-id", Meta: map[string]string{"order": "42"}})
			code := r.Code
			if tt.part == "unlisted" {
				code = "" // any code is passed on unchanged
			}
			if r.Outcome != tt.outcome || code != tt.code || !cmp.Equal(r.ChargeAgent, tt.debit) || !cmp.Equal(r.RefundCharge, tt.refund) || r.Attempts != tt.attempts {
				t.Errorf("%+v", r)
			}
			if r.ID != "my-id" || r.Meta["order"] != "42" || r.Partner != partner || r.Run == "" || r.Source != messages.Asked || r.AskedAtMs == 0 || r.ExpiresAtMs == 0 {
				t.Errorf("the asker's fields: %+v", r)
			}
			if (r.Outcome == messages.Unknown) != (r.RetryAfterMs > 0) {
				t.Errorf("retry after %d ms with outcome %s", r.RetryAfterMs, r.Outcome)
			}
			if r.Outcome != messages.Signed && r.Message == "" && r.Code != "" {
				t.Error("no message")
			}
		})
	}
}

func TestSecondPartnerInGBK(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	q := messages.Query{Partner: partner2, UserEmail: "张三@example.com"}
	body, _ := q.Encode(messages.MsgPack)
	for _, asker := range []string{"", ".till-7"} {
		m, err := f.nc.Request(f.names.QueryOf(partner2)+asker, body, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := messages.DecodeResult(m.Data, "")
		if err != nil || r.Outcome != messages.Signed || r.Partner != partner2 {
			t.Errorf("asker %q: %+v, %v", asker, r, err)
		}
	}
}

func TestOneCallAnswersAll(t *testing.T) {
	f := newFleet(t, simulator.Options{Latency: 100 * time.Millisecond})
	for range 3 {
		f.start()
	}
	const askers = 300
	results := make([]messages.Result, askers)
	var wg sync.WaitGroup
	for i := range askers {
		wg.Go(func() {
			r, err := f.try(messages.Query{UserEmail: "signed@example.com"})
			if err != nil {
				t.Error(err)
			}
			results[i] = r
		})
	}
	wg.Wait()
	f.wantCalls(1)
	for _, r := range results {
		if d := cmp.Diff(results[0], r, sameAnswer); d != "" || r.Outcome != messages.Signed {
			t.Fatalf("two askers were told different things: %s", d)
		}
	}
	before := results[0]
	r := f.ask(messages.Query{UserEmail: " signed@EXAMPLE.com "[1:19]})
	if d := cmp.Diff(before, r, sameAnswer); d != "" || r.Source != messages.Remembered {
		t.Errorf("remembered answer differs: %s %s", r.Source, d)
	}
	f.wantCalls(1)
}

// The same id from a new inbox is a new asker: it is answered, without a call.
func TestSameIDAskedAgain(t *testing.T) {
	f := newFleet(t, simulator.Options{Latency: 200 * time.Millisecond})
	f.start()
	f.start()
	q := messages.Query{ID: "one-id", UserEmail: "signed@example.com"}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			nc := f.connect("another")
			body, _ := q.Encode(messages.MsgPack)
			msg := &nats.Msg{Subject: f.names.Query(), Data: body, Header: nats.Header{messages.HeaderMsgID: {"one-id"}}}
			if m, err := nc.RequestMsg(msg, time.Minute); err != nil || !strings.Contains(string(m.Data), "signed") {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if r := f.ask(q); r.ID != "one-id" || r.Source != messages.Remembered {
		t.Errorf("%+v", r)
	}
	f.wantCalls(1)
}

func TestJSONByHand(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	m, err := f.nc.Request("protocol.query", []byte(`{"user_email": "debit-only@example.com"}`), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var r map[string]any
	if err := json.Unmarshal(m.Data, &r); err != nil {
		t.Fatal(err)
	}
	if r["outcome"] != "signed" || r["charge_agent"] != true || r["refund_charge"] != false || m.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s", m.Data)
	}
}

func TestGivenKey(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	first := f.ask(messages.Query{Key: "order-1", UserEmail: "signed+1@example.com"})
	again := f.ask(messages.Query{Key: "order-1", UserEmail: "signed+1@example.com"})
	if first.Run != again.Run || again.Key != "order-1" {
		t.Errorf("%+v then %+v", first, again)
	}
	if r := f.ask(messages.Query{Key: "order-1", UserEmail: "signed+2@example.com"}); r.Outcome != messages.Refused || r.Code != messages.KeyConflict {
		t.Errorf("another question under the same key: %+v", r)
	}
	if r := f.ask(messages.Query{Partner: partner2, Key: "order-1", UserEmail: "signed+1@example.com"}); r.Run == first.Run || r.Outcome != messages.Signed {
		t.Errorf("the same key of another partner: %+v", r)
	}
	f.wantCalls(2)
}

func TestCoolDownForEveryAsker(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	f.start()
	first := f.ask(messages.Query{UserEmail: "system-error@example.com"})
	f.wantCalls(5)
	for range 4 {
		r := f.ask(messages.Query{UserEmail: "system-error@example.com", MaxAgeMs: new(int64(0))})
		if d := cmp.Diff(first, r, sameAnswer); d != "" || r.RetryAfterMs <= 0 || r.RetryAfterMs > 30_000 || !r.Retryable {
			t.Errorf("in the cool-down: %+v", r)
		}
	}
	f.wantCalls(5)
}

func TestDurableReply(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	body, _ := messages.Query{ID: "d-1", UserEmail: "signed@example.com", ReplyTo: "protocol.reply.refunds"}.Encode(messages.MsgPack)
	if _, err := f.js.Publish(t.Context(), f.names.Submit(), body); err != nil {
		t.Fatal(err)
	}
	awaited, err := f.nc.Request(f.names.Query(), body, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _ := messages.DecodeResult(awaited.Data, ""); r.Outcome != messages.Accepted || r.ID != "d-1" {
		t.Errorf("the NATS reply of a query with reply_to: %+v", r)
	}
	c, err := f.js.CreateConsumer(t.Context(), f.names.Stream(messages.Replies), jetstream.ConsumerConfig{FilterSubject: f.names.ReplyOf("refunds")})
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]int{}
	for range 2 {
		m, err := c.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := messages.DecodeResult(m.Data(), m.Headers().Get("Content-Type"))
		if err != nil || r.Outcome != messages.Signed || r.ID != "d-1" || m.Subject() != "protocol.reply.refunds" {
			t.Errorf("%+v %v", r, err)
		}
		runs[r.Run]++
	}
	if len(runs) != 1 {
		t.Errorf("replies of %d runs, want of one", len(runs))
	}
	f.wantCalls(1)
	f.wantRest()
}

// wantRest checks that everything submitted is in the journal, and that every ask and run in it is
// told.
func (f *fleet) wantRest() {
	f.t.Helper()
	within(f.t, "nothing left", func() bool { return f.stream(messages.Submitted).Msgs == 0 && f.owed() == 0 })
}

// stream is the content of a stream.
func (f *fleet) stream(kind messages.Kind) jetstream.StreamState {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), f.names.Stream(kind))
	if err != nil {
		f.t.Fatal(err)
	}
	return s.CachedInfo().State
}

func TestEventForEachRun(t *testing.T) {
	f := newFleet(t, simulator.Options{})
	f.start()
	f.start()
	events, err := f.nc.SubscribeSync("protocol.event.>")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := messages.Query{UserEmail: "not-signed@example.com", AccountNo: "20880000000000010156"}.Encode(messages.JSON)
	for range 3 { // no reply is wanted: the event shows the result
		if err := f.nc.Publish(f.names.Query(), body); err != nil {
			t.Fatal(err)
		}
	}
	m, err := events.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "protocol.event."+partner+".not_signed" || strings.Contains(string(m.Data), "example.com") ||
		strings.Contains(string(m.Data), "20880000000000010156") || !strings.Contains(string(m.Data), `"user_email":"n***@e***.com"`) {
		t.Errorf("%s %s", m.Subject, m.Data)
	}
	f.wantRest()
	if extra, err := events.NextMsg(100 * time.Millisecond); err == nil {
		t.Errorf("a second event: %s", extra.Data)
	}
	f.wantCalls(1)
}

func TestServiceIsFound(t *testing.T) {
	f := newFleet(t, simulator.Options{Latency: 20 * time.Millisecond})
	f.start()
	f.ask(messages.Query{UserEmail: "signed@example.com"})
	f.ask(messages.Query{UserEmail: "signed@example.com"})
	f.ask(messages.Query{UserEmail: "no login"})
	m, err := f.nc.Request("$SRV.STATS.protocol-query", nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Endpoints []struct {
			Name       string `json:"name"`
			QueueGroup string `json:"queue_group"`
			Requests   int    `json:"num_requests"`
			Errors     int    `json:"num_errors"`
			LastError  string `json:"last_error"`
			Took       int64  `json:"processing_time"`
			Average    int64  `json:"average_processing_time"`
			Data       struct {
				Outcomes, Sources map[string]int
				Gateway           struct{ Count int } `json:"gateway_ms"`
			}
		}
	}
	if err := json.Unmarshal(m.Data, &stats); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(m.Data), `"gateway_ms"`); n != 1 || len(stats.Endpoints) != 2 {
		t.Errorf("the figures of the worker stand %d times among %d endpoints: %s", n, len(stats.Endpoints), m.Data)
	}
	e := stats.Endpoints[0]
	if e.QueueGroup != "workers" || e.Requests != 3 || e.Data.Outcomes["signed"] != 2 || e.Data.Sources["remembered"] != 1 || e.Data.Gateway.Count != 1 {
		t.Errorf("%s", m.Data)
	}
	// A call took 20 ms; the time of the handler alone, some µs, would not show that.
	if e.Errors != 1 || e.LastError != messages.BadRequest || time.Duration(e.Took) < 15*time.Millisecond || e.Average != e.Took/3 {
		t.Errorf("%d errors, the last %s; %v in all, %v each", e.Errors, e.LastError, time.Duration(e.Took), time.Duration(e.Average))
	}
}
