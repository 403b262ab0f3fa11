// Webhooks: where answers are never sent, when they are sent again, and what happens to those
// that are not accepted.

package httpdoor

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
)

// verify checks a signature as a receiver does, with code of its own.
func verify(t *testing.T, secret string, h http.Header, body []byte) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + string(body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("webhook-signature") != want {
		t.Errorf("signed %q, want %q", h.Get("webhook-signature"), want)
	}
	if at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		t.Errorf("signed at %q", h.Get("webhook-timestamp"))
	}
}

// Operators set the address, so it must be one that they can mean.
func TestWebhookAddress(t *testing.T) {
	for address, good := range map[string]bool{
		"https://shop.example.com/hook":  true,
		"http://127.0.0.1:8080/hook":     true,
		"http://localhost/hook":          true,
		"http://[::1]/hook":              true,
		"http://shop.example.com/hook":   false,
		"https://u:p@shop.example.com/":  false,
		"https:///hook":                  false,
		"https://:8443/hook":             false,
		"https://shop.example.com:84430": false,
		"ftp://shop.example.com/":        false,
		"shop.example.com":               false,
		"":                               false,
	} {
		if err := (&Webhook{URL: address, SecretFile: "x"}).check(); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
	if (&Webhook{URL: "https://shop.example.com/"}).check() == nil {
		t.Error("without a secret")
	}
}

// handed is a message of a consumer that records what is done with it.
type handed struct {
	jetstream.Msg
	data  string
	meta  jetstream.MsgMetadata
	acked bool
	again time.Duration
}

func (h *handed) Metadata() (*jetstream.MsgMetadata, error) { return &h.meta, nil }
func (h *handed) Headers() nats.Header                      { return nil }
func (h *handed) Data() []byte                              { return []byte(h.data) }
func (h *handed) Subject() string                           { return "protocol.http.shop.answer.r-1" }
func (h *handed) Ack() error                                { h.acked = true; return nil }
func (h *handed) NakWithDelay(d time.Duration) error        { h.again = d; return nil }

// hooked returns a deliverer to a webhook that is a function.
func hooked(memory memory, hook func(*http.Request) *reply) (*deliverer, *[]string) {
	seen := &[]string{}
	client := webhook.NewClient(webhooksAtOnce)
	client.Transport = trip(hook)
	return &deliverer{asker: "shop", url: "https://shop.example.com/hook?token=secret", secrets: func() ([]byte, error) { return []byte(webhook.NewSecret()), nil }, memory: memory,
		client: client, seen: func(s string) { *seen = append(*seen, s) }, log: slog.New(slog.DiscardHandler)}, seen
}

type trip func(*http.Request) *reply

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) {
	if a := f(r); a != nil {
		return &http.Response{StatusCode: a.code, Header: a.header, Body: http.NoBody, Request: r}, nil
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// reply is what a webhook answers; nil means that it never does.
type reply struct {
	code   int
	header http.Header
}

func status(code int, headers ...string) *reply {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &reply{code, h}
}

const keptAnswer = `{"v":1,"id":"r-1","outcome":"signed","retryable":false}`

func TestDeliver(t *testing.T) {
	for name, tt := range map[string]struct {
		answer *reply
		taken  bool
		least  time.Duration
	}{
		"taken":         {status(200), true, 0},
		"no content":    {status(204), true, 0},
		"error":         {status(500), false, 5 * time.Second},
		"gone":          {status(410), false, 5 * time.Second},
		"busy":          {status(429, "Retry-After", "77"), false, 77 * time.Second},
		"busy for long": {status(503, "Retry-After", "999999"), false, time.Hour},
		"busy till":     {status(503, "Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"), false, 5 * time.Second},
		"redirect":      {status(307, "Location", "http://169.254.169.254/"), false, 5 * time.Second},
		"silent":        {nil, false, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var asked []string
			d, seen := hooked(&remembered{}, func(r *http.Request) *reply { asked = append(asked, r.URL.Host); return tt.answer })
			m := &handed{data: keptAnswer, meta: jetstream.MsgMetadata{NumDelivered: 1, Timestamp: time.Now()}}
			began := time.Now()
			d.take(t.Context(), m)
			if m.acked != tt.taken || !tt.taken && (m.again < tt.least || m.again > tt.least*6/5) {
				t.Errorf("%s: taken %v, again after %s", name, m.acked, m.again)
			}
			if len(asked) != 1 || asked[0] != "shop.example.com" || len(*seen) != 1 {
				t.Errorf("%s: asked %v, seen %v", name, asked, *seen)
			}
			if took := time.Since(began); took > webhook.SendTime {
				t.Errorf("%s: took %s", name, took)
			}
		})
	}
}

// An answer that a webhook never accepts is given up after a day, and listed for its asker.
func TestUndelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &remembered{}
		d, seen := hooked(memory, func(*http.Request) *reply { return status(500) })
		m := &handed{data: keptAnswer, meta: jetstream.MsgMetadata{NumDelivered: 1, Timestamp: time.Now()}}
		began, tries := time.Now(), 0
		for ; !m.acked; tries++ {
			m.again = 0
			d.take(t.Context(), m)
			time.Sleep(m.again)
			m.meta.NumDelivered++
		}
		if took := time.Since(began); took > webhook.TryFor || took < webhook.TryFor-2*webhook.LongestTry || tries < 20 || tries > 40 || (*seen)[tries-1] != "undelivered" {
			t.Errorf("given up after %s and %d tries: %v", took, tries, *seen)
		}
		door := openDoor(t, options{Fleet: silent(), Memory: memory})
		_, fields := door.do(t, request("GET", "/v1/undelivered", ""))
		list := fields["undelivered"].([]any)
		if len(list) != 1 || list[0].(map[string]any)["id"] != "r-1" || strings.Contains(list[0].(map[string]any)["why"].(string), "secret") {
			t.Fatal(fields)
		}
		if _, fields := door.do(t, request("GET", "/v1/undelivered", "", header("Authorization", "Bearer "+tokens["till"]))); len(fields["undelivered"].([]any)) != 0 {
			t.Errorf("another asker sees it: %v", fields)
		}
	})
}

func TestUndeliveredPages(t *testing.T) {
	memory := &remembered{}
	for i := range 150 {
		name := strconv.Itoa(i)
		data := `{"id":"` + name + `","tries":1,"why":"x","failed_at_ms":1,"result":` + keptAnswer + `}`
		if err := memory.Put(context.Background(), "shop", messages.HTTPUndelivered, name, []byte(data), ""); err != nil {
			t.Fatal(err)
		}
	}
	d := openDoor(t, options{Fleet: silent(), Memory: memory})
	seen, after := map[any]bool{}, "0"
	for range 2 {
		w, fields := d.do(t, request("GET", "/v1/undelivered?after="+after, ""))
		if w.StatusCode != 200 {
			t.Fatal(w.StatusCode, fields)
		}
		for _, u := range fields["undelivered"].([]any) {
			seen[u.(map[string]any)["id"]] = true
		}
		next, _ := fields["next"].(float64)
		after = strconv.Itoa(int(next))
	}
	if len(seen) != 150 || after != "0" {
		t.Errorf("%d seen, then after %s", len(seen), after)
	}
	if w, _ := d.do(t, request("GET", "/v1/undelivered?after=x", "")); w.StatusCode != 400 {
		t.Error(w.StatusCode)
	}
}
