// The door before real workers: everything in one process, asked over real HTTP.

package httpdoor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
	"protocolq/worker/provision"
)

// bench is a fleet of two workers and a door.
type bench struct {
	cfg    *settings.Config
	askers []Asker
	stack  *localstack.Stack
	url    string
	stop   func() // stops the door
	log    io.Writer
}

func openBench(t testing.TB, own ...Asker) *bench {
	t.Helper()
	b := &bench{cfg: &settings.Config{}, askers: askers(), log: t.Output()}
	settings.Practice(b.cfg)
	if own != nil {
		b.askers = own
	}
	var err error
	if b.stack, err = localstack.Open(t.Context(), localstack.Options{Config: b.cfg}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.stack.Close() })
	b.provision(t)
	b.cfg.APIListen, b.cfg.Grace = "127.0.0.1:0", 5*time.Second
	b.open(t)
	return b
}

// provision creates what the door needs.
func (b *bench) provision(t testing.TB) {
	t.Helper()
	nc, err := nats.Connect(b.cfg.NATS[0])
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames(b.cfg.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provision.Apply(t.Context(), js, provision.Options{Names: names, Readers: provision.Readers{HTTP: []string{"shop", "till"}}}); err != nil {
		t.Fatal(err)
	}
}

// open runs the door until the test ends or stop is called.
func (b *bench) open(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- run(ctx, b.cfg, b.askers, slog.New(slog.NewTextHandler(b.log, nil)), func(a net.Addr) { ready <- a })
	}()
	stopped := false
	b.stop = func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(b.stop)
	select {
	case a := <-ready:
		b.url = "http://" + a.String()
	case err := <-ended:
		stopped = true
		t.Fatal(err)
	}
}

// call sends a request to the door as an asker; "" means without a token.
func (b *bench) call(t *testing.T, asker, method, path, body string, headers ...string) (response, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if asker != "" {
		r.Header.Set("Authorization", "Bearer "+tokens[asker])
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := response{w.StatusCode, w.Header}
	if !strings.HasSuffix(w.Header.Get("Content-Type"), "json") {
		return got, nil
	}
	for _, head := range []string{"/v1/queries/", "/v1/batches/"} {
		if strings.HasPrefix(path, head) {
			path = head + "{id}"
		}
	}
	r.Pattern = path
	if doc := read(t)["paths"].(map[string]any); doc[path] != nil {
		return got, conforms(t, r, got, text)
	}
	var fields map[string]any
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&fields); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got, fields
}

func TestRealWorkers(t *testing.T) {
	b := openBench(t)
	for email, want := range map[string]struct {
		status  int
		outcome string
	}{
		"signed@example.com":         {200, "signed"},
		"not-signed@example.com":     {200, "not_signed"},
		"abnormal@example.com":       {200, "abnormal"},
		"illegal-email@example.com":  {422, "refused"},
		"system-error@example.com":   {503, "unknown"},
		"system-error-2@example.com": {200, "signed"},
		"fault-drop-1@example.com":   {200, "signed"},
	} {
		w, fields := b.call(t, "shop", "POST", "/v1/queries", `{"id":"r","user_email":"`+email+`"}`, "Idempotency-Key", email, "Prefer", "wait=30")
		if w.StatusCode != want.status || fields["outcome"] != want.outcome || fields["id"] != "r" || fields["key"] != email {
			t.Errorf("%s: %d %v", email, w.StatusCode, fields)
		}
	}
	// The same idempotency key is another request for another asker. Another question under it
	// is refused.
	ask := func(asker, email string) (int, any) {
		w, fields := b.call(t, asker, "POST", "/v1/queries", `{"user_email":"`+email+`"}`, "Idempotency-Key", "order-1")
		return w.StatusCode, fields["type"]
	}
	if s, _ := ask("shop", "signed@example.com"); s != 200 {
		t.Error(s)
	}
	if s, kind := ask("shop", "not-signed@example.com"); s != 409 || kind != typeHead+"key-conflict" {
		t.Error(s, kind)
	}
	if s, _ := ask("till", "not-signed@example.com"); s != 200 {
		t.Error(s)
	}
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/v1/openapi.yaml": 200} {
		if w, _ := b.call(t, "", "GET", path, ""); w.StatusCode != want {
			t.Errorf("%s: %d", path, w.StatusCode)
		}
	}
	if w, _ := b.call(t, "", "POST", "/v1/queries", good); w.StatusCode != 401 {
		t.Error(w.StatusCode)
	}
}

// An answer that no caller waited for is found after a restart of the door, which keeps nothing
// itself.
func TestAnswerAfterARestart(t *testing.T) {
	b := openBench(t)
	slow := `{"id":"slow 1","user_email":"fault-drop-1@example.com"}` // called twice, so that it takes a moment
	w, fields := b.call(t, "shop", "POST", "/v1/queries", slow, "Prefer", "wait=0")
	location := w.Header.Get("Location")
	if w.StatusCode != 202 || fields["location"] != location || location != locationOf("slow 1") {
		t.Fatalf("%d %v %v", w.StatusCode, w.Header, fields)
	}
	b.stop()
	b.open(t)
	found := b.answered(t, location)
	if found["outcome"] != "signed" || found["id"] != "slow 1" || found["partner"] != partner {
		t.Error(found)
	}
	if w, _ := b.call(t, "till", "GET", location, ""); w.StatusCode != 404 {
		t.Errorf("another asker finds it: %d", w.StatusCode)
	}
}

// answered polls for an answer until it is there.
func (b *bench) answered(t *testing.T, location string) map[string]any {
	t.Helper()
	for {
		w, fields := b.call(t, "shop", "GET", location, "")
		switch w.StatusCode {
		case 200:
			return fields
		case 202:
			<-time.After(20 * time.Millisecond)
		default:
			t.Fatal(w.StatusCode, fields)
		}
	}
}

// A batch of real queries, some of which are the same question.
func TestRealBatch(t *testing.T) {
	b := openBench(t)
	const n = 200
	queries := make([]string, n)
	for i := range queries {
		queries[i] = fmt.Sprintf(`{"id":"q%d","user_email":"signed-%d@example.com"}`, i, i/2)
	}
	w, fields := b.call(t, "shop", "POST", "/v1/batches", batchOf("night-1", queries...))
	if w.StatusCode != 202 || fields["stored"] != float64(n) {
		t.Fatal(w.StatusCode, fields)
	}
	for i, q := range b.answered(t, w.Header.Get("Location"))["queries"].([]any) {
		entry := q.(map[string]any)
		result, _ := entry["result"].(map[string]any)
		if entry["id"] != fmt.Sprint("q", i) || result["id"] != entry["id"] || result["outcome"] != "signed" {
			t.Errorf("%d: %v", i, entry)
		}
	}
	if calls := b.stack.Sim.Calls(); len(calls) != n/2 {
		t.Errorf("%d calls for %d questions", len(calls), n/2)
	}
}

// The answer to a stored query is sent to its asker's webhook, signed, and to no other's.
func TestRealWebhook(t *testing.T) {
	came := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
		came <- r
		bodies <- body
	}))
	defer hook.Close()
	b := openBench(t)
	b.stop()
	secret := webhook.NewSecret()
	file := filepath.Join(t.TempDir(), "shop.secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.askers[0].Webhook = &Webhook{URL: hook.URL + "/answers", SecretFile: file}
	b.open(t)
	for _, asker := range []string{"till", "shop"} {
		if w, fields := b.call(t, asker, "POST", "/v1/queries", `{"id":"`+asker+`-1","user_email":"signed@example.com"}`, "Prefer", "respond-async"); w.StatusCode != 202 {
			t.Fatal(w.StatusCode, fields)
		}
	}
	r, body := <-came, <-bodies
	var got struct {
		Type string
		Data messages.Result
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if r.URL.Path != "/answers" || got.Type != deliveryType || got.Data.ID != "shop-1" || got.Data.Outcome != messages.Signed {
		t.Errorf("%s %s", r.URL, body)
	}
	verify(t, secret, r.Header, body)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema(t, "/components/schemas/Delivery").Validate(value)
	}
	if err != nil {
		t.Error(err)
	}
}
