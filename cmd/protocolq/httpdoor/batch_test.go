// Batches: each query is judged by itself, all count against the asker's rate, and their
// answers can be found.

package httpdoor

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
)

// batchOf returns a body with an id and queries.
func batchOf(id string, queries ...string) string {
	return `{"id":"` + id + `","queries":[` + strings.Join(queries, ",") + `]}`
}

func aQuery(id string) string { return `{"id":"` + id + `","user_email":"zhang@example.com"}` }

func TestBatch(t *testing.T) {
	fleet, memory := silent(), &remembered{}
	d := openDoor(t, options{Fleet: fleet, Memory: memory})
	w, fields := d.do(t, request("POST", "/v1/batches", batchOf("night-1", aQuery("a"), `{"id":"b","mail":1}`, aQuery("c"), aQuery("a"),
		`{"id":"d","user_email":"zhang@example.com","partner":"2088000000000003"}`)))
	if w.StatusCode != 202 || w.Header.Get("Location") != "/v1/batches/night-1" || fields["stored"] != 2.0 || len(fleet.submitted) != 2 || len(fleet.got) != 0 {
		t.Fatalf("%d %v, %+v", w.StatusCode, fields, fleet.submitted)
	}
	var got []string
	for _, q := range fields["queries"].([]any) {
		entry := q.(map[string]any)
		text := fmt.Sprint(entry["location"])
		if p, ok := entry["problem"].(map[string]any); ok {
			text = fmt.Sprint(p["type"])
		}
		got = append(got, text)
	}
	want := []string{"/v1/queries/a", typeHead + "bad-request", "/v1/queries/c", typeHead + "bad-request", typeHead + "forbidden"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	look := func() (int, any) {
		w, fields := d.do(t, request("GET", "/v1/batches/night-1", ""))
		return w.StatusCode, fields["answered"]
	}
	if s, n := look(); s != 202 || n != 0.0 {
		t.Error(s, n)
	}
	replied(t, memory, "shop", messages.Result{ID: "a", Outcome: messages.Signed})
	if s, n := look(); s != 202 || n != 1.0 {
		t.Error(s, n)
	}
	replied(t, memory, "shop", messages.Result{ID: "c", Outcome: messages.Unknown})
	if s, n := look(); s != 200 || n != 2.0 {
		t.Error(s, n)
	}
	if w, _ := d.do(t, request("GET", "/v1/batches/night-1", "", header("Authorization", "Bearer "+tokens["till"]))); w.StatusCode != 404 {
		t.Errorf("another asker finds it: %d", w.StatusCode)
	}
}

func TestBatchIsRead(t *testing.T) {
	many := func(n int) string {
		return batchOf("x", strings.TrimSuffix(strings.Repeat(aQuery("a")+",", n), ","))
	}
	for name, tt := range map[string]struct {
		body   string
		status int
	}{
		"empty":          {"", 400},
		"no JSON":        {"{", 400},
		"none":           {`{"queries":[]}`, 400},
		"a field":        {`{"query":[]}`, 400},
		"two":            {batchOf("x", aQuery("a")) + "{}", 400},
		"id":             {batchOf("a/b", aQuery("a")), 400},
		"an id of none":  {`{"id":null,"queries":[` + aQuery("a") + `]}`, 202},
		"a list":         {`[` + aQuery("a") + `]`, 400},
		"cut off":        {`{"queries":[` + aQuery("a") + `]`, 400},
		"queries twice":  {`{"queries":[` + aQuery("a") + `],"queries":[` + aQuery("b") + `]}`, 400},
		"id twice":       {`{"id":"x","queries":[` + aQuery("a") + `],"id":"y"}`, 400},
		"in capitals":    {`{"queries":[` + aQuery("a") + `],"Queries":[` + aQuery("b") + `]}`, 400},
		"too many":       {many(1001), 400},
		"as many":        {many(1000), 202},
		"none is stored": {batchOf("x", `{"id":"a"}`), 400},
		"too large":      {many(1<<20/len(aQuery("a")) + 1), 413},
	} {
		w, fields := openDoor(t, options{Fleet: silent()}).do(t, request("POST", "/v1/batches", tt.body))
		if w.StatusCode != tt.status {
			t.Errorf("%s: %d %v", name, w.StatusCode, fields)
		}
	}
	for name, o := range map[string]options{
		"no stream":  {Fleet: silent(), Memory: &remembered{fault: errors.New("x")}},
		"no workers": {Fleet: &played{full: errors.New("x")}},
	} {
		if w, fields := openDoor(t, o).do(t, request("POST", "/v1/batches", batchOf("x", aQuery("a")))); w.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %v", name, w.StatusCode, fields)
		}
	}
	d := openDoor(t, options{Fleet: silent()})
	for _, name := range []string{"none", "a.b", "*"} {
		if w, _ := d.do(t, request("GET", "/v1/batches/"+name, "")); w.StatusCode != 404 {
			t.Errorf("%s: %d", name, w.StatusCode)
		}
	}
}

// A batch that is larger than the asker's burst is admitted, and uses up its rate for some
// time.
func TestBatchTakesItsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := askers()
		all[0].Rate, all[0].Burst = 10, 10
		d := openDoor(t, options{Askers: all, Fleet: silent()})
		queries := make([]string, 30)
		for i := range queries {
			queries[i] = aQuery(fmt.Sprint("q", i))
		}
		if w, fields := d.do(t, request("POST", "/v1/batches", batchOf("x", queries...))); w.StatusCode != 202 || fields["stored"] != 30.0 {
			t.Fatal(w.StatusCode, fields)
		}
		w, fields := d.do(t, post(good, header("Prefer", "wait=0")))
		if w.StatusCode != 429 || fields["retry_after_ms"] != 2100.0 {
			t.Error(w.StatusCode, fields)
		}
		time.Sleep(2100 * time.Millisecond)
		if w, _ := d.do(t, post(good, header("Prefer", "wait=0"))); w.StatusCode != 202 {
			t.Error(w.StatusCode)
		}
	})
}
