// Requests: which are admitted, what is read, how much an asker may ask, and which status each
// outcome has.

package httpdoor

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
)

var signed = messages.Result{Outcome: messages.Signed, ChargeAgent: new(true), Run: "r1", Source: messages.Asked}

const good = `{"id":"r-1","user_email":"zhang@example.com"}`

func TestToken(t *testing.T) {
	d := openDoor(t, options{Fleet: says(signed)})
	shop := tokens["shop"]
	for value, want := range map[string]int{
		"Bearer " + shop:            200,
		"bearer " + shop:            200,
		"":                          401,
		"Bearer " + newToken():      401,
		"Bearer " + shop + "a":      401,
		"Bearer  " + shop:           401,
		"Basic " + shop:             401,
		shop:                        401,
		"Bearer " + shop[:54] + "=": 401,
	} {
		w, fields := d.do(t, post(good, header("Authorization", value)))
		if w.StatusCode != want || want == 401 && (w.Header.Get("WWW-Authenticate") != "Bearer" || fields["type"] != typeHead+"unauthorized") {
			t.Errorf("%q: %d %v", value, w.StatusCode, fields)
		}
	}
	two := post(good)
	two.Header.Add("Authorization", "Bearer "+shop)
	if w, _ := d.do(t, two); w.StatusCode != 401 {
		t.Errorf("two tokens: %d", w.StatusCode)
	}
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		change     func(*http.Request)
		status     int
		says       string // in the problem's type or detail
	}{
		{name: "good", body: good, status: 200},
		{name: "with a charset", body: good, change: header("Content-Type", "application/json; charset=utf-8"), status: 200},
		{name: "another partner of its own", body: `{"user_email":"zhang@example.com","partner":"` + another + `"}`, status: 200},
		{name: "a partner of others", body: `{"user_email":"zhang@example.com","partner":"2088000000000003"}`, status: 403, says: "forbidden"},
		{name: "no JSON", body: good, change: header("Content-Type", "text/plain"), status: 415, says: "media"},
		{name: "no type", body: good, change: header("Content-Type", ""), status: 415, says: "media"},
		{name: "MessagePack", body: "\x80", change: header("Content-Type", "application/msgpack"), status: 415, says: "media"},
		{name: "empty", body: "", status: 400, says: "bad-request"},
		{name: "not whole", body: good[:20], status: 400, says: "bad-request"},
		{name: "unknown field", body: `{"user_email":"zhang@example.com","mail":"x"}`, status: 400, says: "mail"},
		{name: "wrong field", body: `{"account_no":"1"}`, status: 400, says: "account_no"},
		{name: "asks nothing", body: `{"id":"x"}`, status: 400, says: "user_email"},
		{name: "reply_to", body: `{"user_email":"zhang@example.com","reply_to":"protocol.reply.till"}`, status: 400, says: "reply_to"},
		{name: "two keys", body: `{"user_email":"zhang@example.com","key":"a"}`, change: header("Idempotency-Key", "b"), status: 400, says: "Idempotency-Key"},
		{name: "one key twice", body: `{"user_email":"zhang@example.com","key":"a"}`, change: header("Idempotency-Key", `"a"`), status: 200},
		{name: "two headers", body: good, change: func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "b"} }, status: 400, says: "Idempotency-Key"},
		{name: "key with an age", body: `{"user_email":"zhang@example.com","max_age_ms":1}`, change: header("Idempotency-Key", "b"), status: 400, says: "max_age_ms"},
		{name: "key too long", body: good, change: header("Idempotency-Key", strings.Repeat("k", 129)), status: 400, says: "key"},
		{name: "too large", body: `{"user_email":"` + strings.Repeat("a", messages.MaxMessage) + `"}`, status: 413, says: "too-large"},
	} {
		fleet := says(signed)
		d := openDoor(t, options{Fleet: fleet})
		r := post(tt.body)
		if tt.change != nil {
			tt.change(r)
		}
		w, fields := d.do(t, r)
		text, _ := fields["detail"].(string)
		name, _ := fields["type"].(string)
		if w.StatusCode != tt.status || !strings.Contains(name+text, tt.says) {
			t.Errorf("%s: %d %v", tt.name, w.StatusCode, fields)
		}
		if n := len(fleet.got); (n == 1) != (tt.status == 200) {
			t.Errorf("%s: asked %d times", tt.name, n)
		}
	}
}

// The workers are asked as the token's asker, with the header's idempotency key. Where no
// partner is named, it is the asker's first.
func TestAskedAsTheAsker(t *testing.T) {
	fleet := says(signed)
	d := openDoor(t, options{Fleet: fleet})
	d.do(t, post(good, header("Authorization", "Bearer "+tokens["till"]), header("Idempotency-Key", `"order 7"`)))
	d.do(t, post(`{"user_email":"zhang@example.com","partner":"`+another+`"}`))
	first, second := fleet.got[0], fleet.got[1]
	if first.asker != "till" || first.q.Partner != partner || first.q.Key != "order 7" || first.q.ID != "r-1" {
		t.Errorf("%+v", first)
	}
	if second.asker != "shop" || second.q.Partner != another || second.q.Key != "" {
		t.Errorf("%+v", second)
	}
}

// The caller's trace is passed on with the query, and none is invented.
func TestTraceGoesAlong(t *testing.T) {
	var got string
	fleet := says(signed)
	answer := fleet.answer
	fleet.answer = func(ctx context.Context, q messages.Query) (messages.Result, error) {
		got = traceOf(ctx)
		return answer(ctx, q)
	}
	d := openDoor(t, options{Fleet: fleet})
	for _, want := range []string{"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01", ""} {
		d.do(t, post(good, header(messages.Traceparent, want)))
		if got != want {
			t.Errorf("the workers got trace %q, want %q", got, want)
		}
	}
}

// Only what the gateway reports about an account is 200.
func TestOutcomes(t *testing.T) {
	for _, tt := range []struct {
		r      messages.Result
		status int
		kind   string
		again  string
	}{
		{signed, 200, "", ""},
		{messages.Result{Outcome: messages.NotSigned, Code: "NO_SIGN_CUSTOMER"}, 200, "", ""},
		{messages.Result{Outcome: messages.Abnormal}, 200, "", ""},
		{messages.Result{Outcome: messages.Refused, Code: "ILLEGAL_EMAIL"}, 422, "refused", ""},
		{messages.Result{Outcome: messages.Refused, Code: messages.KeyConflict}, 409, "key-conflict", ""},
		{messages.Result{Outcome: messages.Refused, Code: messages.NotAllowed}, 403, "forbidden", ""},
		{messages.Result{Outcome: messages.Refused, Code: messages.BadRequest}, 400, "bad-request", ""},
		{messages.Result{Outcome: messages.Refused, Code: messages.TooLarge}, 413, "too-large", ""},
		{messages.Result{Outcome: messages.Unknown, Code: "SYSTEM_ERROR", Retryable: true, RetryAfterMs: 29_001}, 503, "unknown", "30"},
		{messages.Result{Outcome: messages.Unknown, Code: messages.Overloaded, Retryable: true, RetryAfterMs: 200}, 503, "unknown", "1"},
		{messages.Result{Outcome: messages.Unknown, Code: messages.Crashed, Retryable: true}, 503, "unknown", "1"},
		{messages.Result{Outcome: messages.Unknown, Code: "GATEWAY_UNCLEAR"}, 502, "unclear", ""},
		{messages.Result{Outcome: messages.Unknown, Code: messages.Forgotten}, 502, "unclear", ""},
	} {
		d := openDoor(t, options{Fleet: says(tt.r)})
		w, fields := d.do(t, post(good))
		name, _ := fields["type"].(string)
		if w.StatusCode != tt.status || strings.TrimPrefix(name, typeHead) != tt.kind || w.Header.Get("Retry-After") != tt.again {
			t.Errorf("%s %s: %d %v, Retry-After %q", tt.r.Outcome, tt.r.Code, w.StatusCode, fields, w.Header.Get("Retry-After"))
		}
		if fields["outcome"] != string(tt.r.Outcome) || fields["id"] != "r-1" || fields["retryable"] != tt.r.Retryable {
			t.Errorf("%s %s: the Result is not there: %v", tt.r.Outcome, tt.r.Code, fields)
		}
	}
}

func TestPreferredWait(t *testing.T) {
	for prefer, want := range map[string]time.Duration{
		"":                            10 * time.Second,
		"wait=3":                      3 * time.Second,
		"Wait = 3":                    3 * time.Second,
		`wait="3"`:                    3 * time.Second,
		"wait=0":                      0,
		"wait=600":                    time.Minute,
		"wait=99999999999999999999":   10 * time.Second,
		"wait=-1":                     10 * time.Second,
		"wait=soon":                   10 * time.Second,
		"handling=lenient, wait=7":    7 * time.Second,
		"respond-async, wait=7":       0,
		"wait=7; foo=bar":             7 * time.Second,
		"return=minimal;wait=1,wait7": 10 * time.Second,
	} {
		if got := preferredWait([]string{prefer}); got != want {
			t.Errorf("%q: %s, want %s", prefer, got, want)
		}
	}
}

// An asker that exceeds its rate is refused with the time to ask again, and costs others
// nothing.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := askers()
		all[0].Rate, all[0].Burst = 2, 3
		fleet := says(signed)
		d := openDoor(t, options{Askers: all, Fleet: fleet})
		for range 3 {
			if w, _ := d.do(t, post(good)); w.StatusCode != 200 {
				t.Fatal(w.StatusCode)
			}
		}
		w, fields := d.do(t, post(good))
		if w.StatusCode != 429 || fields["retry_after_ms"] != 500.0 || w.Header.Get("Retry-After") != "1" {
			t.Errorf("%d %v", w.StatusCode, fields)
		}
		if w, _ := d.do(t, post(good, header("Authorization", "Bearer "+tokens["till"]))); w.StatusCode != 200 {
			t.Errorf("the other asker: %d", w.StatusCode)
		}
		time.Sleep(500 * time.Millisecond)
		if w, _ := d.do(t, post(good)); w.StatusCode != 200 {
			t.Errorf("after the time that was said: %d", w.StatusCode)
		}
		if len(fleet.got) != 5 {
			t.Errorf("asked %d times", len(fleet.got))
		}
	})
}

// An asker's requests wait up to its bound, and the end of the door cuts their waits short.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDoor(t, options{Fleet: silent()})
		statuses := make(chan int, 4)
		for range 4 {
			go func() { w, _ := d.do(t, post(good, header("Prefer", "wait=30"))); statuses <- w.StatusCode }()
		}
		synctest.Wait()
		if w, fields := d.do(t, post(good)); w.StatusCode != 429 {
			t.Errorf("a fifth: %d %v", w.StatusCode, fields)
		}
		began := time.Now()
		d.hurry()
		for range 4 {
			if s := <-statuses; s != 202 {
				t.Errorf("hurried: %d", s)
			}
		}
		if time.Since(began) != 0 {
			t.Error("it was not hurried")
		}
	})
}

func TestOtherAddresses(t *testing.T) {
	var log bytes.Buffer
	d := openDoor(t, options{Fleet: says(signed), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, tt := range []struct {
		method, path string
		status       int
	}{{"GET", "/v1/queries", 405}, {"DELETE", "/v1/queries", 405}, {"GET", "/", 404}, {"POST", "/v1/querie", 404}, {"GET", "/v1/openapi.yaml", 200}} {
		w, _ := d.do(t, request(tt.method, tt.path, "", header("Authorization", "")))
		if w.StatusCode != tt.status {
			t.Errorf("%s %s: %d", tt.method, tt.path, w.StatusCode)
		}
		if allow := w.Header.Get("Allow"); tt.status == 405 && allow != "POST" {
			t.Errorf("%s %s: Allow is %q", tt.method, tt.path, allow)
		}
	}
	for _, want := range []string{"route=/v1/queries ", "route=other "} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, &log)
		}
	}
}

// A panic fails only its own request, and frees its place. The log says where, and not about whom.
func TestFault(t *testing.T) {
	var log bytes.Buffer
	d := openDoor(t, options{Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Fleet: &played{answer: func(_ context.Context, q messages.Query) (messages.Result, error) {
			panic("mistake about " + q.UserEmail)
		}}})
	for range 5 { // more than may wait at once
		if w, _ := d.do(t, post(good)); w.StatusCode != 500 {
			t.Errorf("%d", w.StatusCode)
		}
	}
	if said := log.String(); strings.Contains(said, "zhang@") || !strings.Contains(said, "door_test.go") {
		t.Error(said)
	}
}
