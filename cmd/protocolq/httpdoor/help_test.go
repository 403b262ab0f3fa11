// What several tests use: a fleet that answers as a test wants, and requests whose answers are
// checked against the document.

package httpdoor

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"protocolq/messages"
)

const (
	partner = "2088000000000001"
	another = "2088000000000002"
)

var tokens = map[string]string{"shop": newToken(), "till": newToken()}

// askers returns two askers, of which shop has two partners.
func askers() []Asker {
	shop := Asker{Name: "shop", Partners: []string{partner, another}, Rate: 100, Burst: 100, Waiting: 4, hashes: []tokenHash{hashOf(tokens["shop"])}}
	till := Asker{Name: "till", Partners: []string{partner}, Rate: 100, Burst: 100, Waiting: 4, hashes: []tokenHash{hashOf(tokens["till"])}}
	return []Asker{shop, till}
}

// asked is one query as the fleet received it.
type asked struct {
	asker string
	q     messages.Query
}

// played is a fleet that answers with a function.
type played struct {
	answer func(ctx context.Context, q messages.Query) (messages.Result, error)

	mu        sync.Mutex // guards what follows
	got       []asked
	submitted []asked
	full      error // what Submit returns
}

func (p *played) Ask(ctx context.Context, asker string, q messages.Query) (messages.Result, error) {
	p.mu.Lock()
	p.got = append(p.got, asked{asker, q})
	p.mu.Unlock()
	return p.answer(ctx, q)
}

func (p *played) Submit(_ context.Context, asker string, q messages.Query) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.submitted = append(p.submitted, asked{asker, q})
	return p.full
}

// says returns a fleet that always answers r.
func says(r messages.Result) *played {
	return &played{answer: func(_ context.Context, q messages.Query) (messages.Result, error) {
		r.V, r.ID, r.Key, r.Partner = messages.Version, q.ID, q.Key, q.Partner
		return r, nil
	}}
}

// silent returns a fleet that never answers.
func silent() *played {
	return &played{answer: func(ctx context.Context, _ messages.Query) (messages.Result, error) {
		<-ctx.Done()
		return messages.Result{}, ctx.Err()
	}}
}

// remembered is a memory in this process.
type remembered struct {
	mu    sync.Mutex // guards what follows
	n     uint64
	kept  map[string]record
	fault error
}

func (m *remembered) Put(_ context.Context, asker, what, name string, data []byte, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string]record{}
	}
	m.n++
	m.kept[asker+"."+what+"."+name] = record{data, m.n}
	return m.fault
}

func (m *remembered) Claim(ctx context.Context, asker, what, name string, data []byte, last uint64) (bool, error) {
	if before, err := m.Last(ctx, asker, what, name); err != nil || before.Sequence != last {
		return false, err
	}
	return true, m.Put(ctx, asker, what, name, data, "")
}

func (m *remembered) Last(_ context.Context, asker, what, name string) (record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[asker+"."+what+"."+name], m.fault
}

func (m *remembered) Next(_ context.Context, asker, what string, from uint64) (next record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, r := range m.kept {
		if strings.HasPrefix(name, asker+"."+what+".") && r.Sequence >= from && (next.Sequence == 0 || r.Sequence < next.Sequence) {
			next = r
		}
	}
	return next, m.fault
}

func openDoor(t *testing.T, o options) *door {
	t.Helper()
	if o.Askers == nil {
		o.Askers = askers()
	}
	if o.Memory == nil {
		o.Memory = &remembered{}
	}
	d, err := newDoor(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// post returns a request of shop's. It is valid, except for what change does to it.
func post(body string, change ...func(*http.Request)) *http.Request {
	return request(http.MethodPost, "/v1/queries", body, change...)
}

func request(method, path, body string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+tokens["shop"])
	r.Header.Set("Content-Type", "application/json")
	for _, f := range change {
		f(r)
	}
	return r
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// header sets a header; "" removes it.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
}

// do serves a request and checks the answer against the document.
func (d *door) do(t *testing.T, r *http.Request) (response, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	d.handler().ServeHTTP(w, r)
	got := response{w.Code, w.Header()}
	return got, conforms(t, r, got, w.Body.Bytes())
}

// response is an answer whose body has been read.
type response struct {
	StatusCode int
	Header     http.Header
}

// conforms checks an answer of one of the door's routes against the document.
func conforms(t *testing.T, r *http.Request, w response, text []byte) (fields map[string]any) {
	t.Helper()
	path := r.Pattern[strings.Index(r.Pattern, "/"):]
	pointer := "/components/responses/Problem"
	if _, known := read(t)["paths"].(map[string]any)[path]; known && w.StatusCode != http.StatusMethodNotAllowed {
		pointer = "/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(r.Method) + "/responses/" + strconv.Itoa(w.StatusCode)
		at(t, read(t), "paths", path, strings.ToLower(r.Method), "responses", strconv.Itoa(w.StatusCode))
	}
	media := w.Header.Get("Content-Type")
	if media == "application/yaml" {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%d, %s: %v", w.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	kind := "Problem"
	if media == "application/json" {
		of := resolved(t, pointer)
		ref, _ := at(t, of, "content", media, "schema").(map[string]any)["$ref"].(string)
		kind = strings.TrimPrefix(ref, "#/components/schemas/")
	} else if status, _ := fields["status"].(float64); media != "application/problem+json" || int(status) != w.StatusCode {
		t.Errorf("%d as %s: %s", w.StatusCode, media, text)
	}
	if err := schema(t, "/components/schemas/"+kind).Validate(value); err != nil {
		t.Errorf("%d %s: %v", w.StatusCode, text, err)
	}
	wanted := fields["type"] != nil && fields["retryable"] == true || w.StatusCode == http.StatusAccepted
	if again := w.Header.Get("Retry-After"); (again != "") != wanted {
		t.Errorf("%d %s: Retry-After is %q", w.StatusCode, text, again)
	}
	return fields
}

// resolved returns the part of the document at a JSON pointer, with references followed.
func resolved(t *testing.T, pointer string) any {
	t.Helper()
	var value any = read(t)
	for key := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		value = at(t, value, strings.ReplaceAll(key, "~1", "/"))
		if ref, ok := value.(map[string]any)["$ref"].(string); ok {
			value = resolved(t, strings.TrimPrefix(ref, "#"))
		}
	}
	return value
}
