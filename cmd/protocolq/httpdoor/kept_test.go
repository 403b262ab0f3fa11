// Queries that no caller waits for any more: where their answers are found, and by which asker.

package httpdoor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
)

// look asks for the answer at a name.
func (d *door) look(t *testing.T, asker, name string) (int, map[string]any) {
	t.Helper()
	w, fields := d.do(t, request("GET", "/v1/queries/"+name, "", header("Authorization", "Bearer "+tokens[asker])))
	return w.StatusCode, fields
}

// replied stores a reply as the reader of replies does.
func replied(t *testing.T, m *remembered, asker string, r messages.Result) {
	t.Helper()
	data, err := r.Encode(messages.MsgPack)
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := kept(data, string(messages.MsgPack))
	if err == nil {
		err = m.Put(t.Context(), asker, messages.HTTPAnswer, nameOf(r.ID), text, "")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestWaitIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet, memory := silent(), &remembered{}
		d := openDoor(t, options{Fleet: fleet, Memory: memory})
		began := time.Now()
		w, fields := d.do(t, post(good, header("Prefer", "wait=20")))
		if w.StatusCode != 202 || time.Since(began) != 20*time.Second || w.Header.Get("Preference-Applied") != "wait=20" ||
			w.Header.Get("Location") != "/v1/queries/r-1" || fields["state"] != "pending" || fields["id"] != "r-1" {
			t.Errorf("%d after %s: %v %v", w.StatusCode, time.Since(began), w.Header, fields)
		}
		if len(fleet.submitted) != 1 || fleet.submitted[0].asker != "shop" || fleet.submitted[0].q.UserEmail != "zhang@example.com" {
			t.Errorf("%+v", fleet.submitted)
		}
		if s, fields := d.look(t, "shop", "r-1"); s != 202 || fields["id"] != "r-1" {
			t.Error(s, fields)
		}
		if s, _ := d.look(t, "till", "r-1"); s != 404 {
			t.Errorf("another asker finds it: %d", s)
		}
		replied(t, memory, "shop", messages.Result{ID: "r-1", Outcome: messages.Unknown, Code: "SYSTEM_ERROR", Retryable: true})
		if s, fields := d.look(t, "shop", "r-1"); s != 200 || fields["outcome"] != "unknown" {
			t.Error(s, fields)
		}
		// Once the query is asked again, the old answer no longer counts.
		if w, _ := d.do(t, post(good, header("Prefer", "respond-async"))); w.StatusCode != 202 || w.Header.Get("Preference-Applied") != "wait=0" {
			t.Error(w)
		}
		if s, _ := d.look(t, "shop", "r-1"); s != 202 {
			t.Error(s)
		}
		replied(t, memory, "shop", messages.Result{ID: "r-1", Outcome: messages.Signed})
		if s, fields := d.look(t, "shop", "r-1"); s != 200 || fields["outcome"] != "signed" {
			t.Error(s, fields)
		}
		if len(fleet.got) != 1 {
			t.Errorf("awaited %d times", len(fleet.got))
		}
	})
}

// DEADLINE is an answer if the query's own deadline has passed. Otherwise it ends the wait.
func TestDeadlines(t *testing.T) {
	fleet := says(messages.Result{Outcome: messages.Unknown, Code: messages.DeadlinePassed, Retryable: true})
	d := openDoor(t, options{Fleet: fleet})
	if w, _ := d.do(t, post(good)); w.StatusCode != 202 {
		t.Errorf("without a deadline: %d", w.StatusCode)
	}
	own := `{"id":"r-2","user_email":"zhang@example.com","deadline_ms":`
	passed, ahead := time.Now().UnixMilli(), time.Now().Add(time.Hour).UnixMilli()
	if w, _ := d.do(t, post(own+number(passed)+"}")); w.StatusCode != 504 {
		t.Errorf("its own is over: %d", w.StatusCode)
	}
	if w, _ := d.do(t, post(own+number(ahead)+"}")); w.StatusCode != 202 || fleet.submitted[1].q.DeadlineMs != ahead {
		t.Errorf("its own is ahead: %d %+v", w.StatusCode, fleet.submitted)
	}
}

func TestIDOfAnotherQuestion(t *testing.T) {
	d := openDoor(t, options{Fleet: silent()})
	async := header("Prefer", "wait=0")
	for _, tt := range []struct {
		body   string
		status int
	}{
		{good, 202},
		{good, 202},
		{strings.Replace(good, "zhang", "li", 1), 409},
		{strings.Replace(good, "r-1", "r-2", 1), 202},
	} {
		if w, fields := d.do(t, post(tt.body, async)); w.StatusCode != tt.status || tt.status == 409 && fields["type"] != typeHead+"id-conflict" {
			t.Errorf("%s: %d %v", tt.body, w.StatusCode, fields)
		}
	}
}

func TestNotKept(t *testing.T) {
	secret := errors.New("secret of NATS")
	async := header("Prefer", "wait=0")
	for name, o := range map[string]options{
		"no stream":  {Fleet: silent(), Memory: &remembered{fault: secret}},
		"no workers": {Fleet: &played{full: secret}},
	} {
		w, fields := openDoor(t, o).do(t, post(good, async))
		if text, _ := fields["detail"].(string); w.StatusCode != 503 || fields["retryable"] != true || strings.Contains(text, "secret") {
			t.Errorf("%s: %d %v", name, w.StatusCode, fields)
		}
	}
	d := openDoor(t, options{Fleet: &played{answer: func(context.Context, messages.Query) (messages.Result, error) {
		return messages.Result{}, secret
	}}})
	if w, _ := d.do(t, post(good)); w.StatusCode != 503 {
		t.Error(w.StatusCode)
	}
	if s, _ := openDoor(t, options{Fleet: silent(), Memory: &remembered{fault: secret}}).look(t, "shop", "r"); s != 503 {
		t.Error(s)
	}
}

// A name can stand in an address and in a subject, and belongs to one query alone.
func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"r-1", "R-1", "a.b", "a b", "..", "a/../b", "单号", "~" + strings.Repeat("a", 26), strings.Repeat("a", 64), strings.Repeat("a", 65), "%2F"} {
		name := nameOf(id)
		if !isName(name) || strings.ContainsAny(name, "./ %*>") || seen[name] != "" {
			t.Errorf("%q and %q have the name %q", id, seen[name], name)
		}
		if seen[name] = id; messages.IsToken(id) && len(id) <= 64 && name != id {
			t.Errorf("%q has the name %q", id, name)
		}
	}
	d := openDoor(t, options{Fleet: silent()})
	for _, name := range []string{"none", "a.b", "*", "%3E", "~a", "a%20b", strings.Repeat("a", 65)} {
		if s, fields := d.look(t, "shop", name); s != 404 {
			t.Errorf("%q: %d %v", name, s, fields)
		}
	}
}

func TestLooksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := askers()
		all[0].Rate, all[0].Burst = 1, 1
		d := openDoor(t, options{Askers: all, Fleet: silent()})
		for range looksPerQuery {
			if s, _ := d.look(t, "shop", "r"); s != 404 {
				t.Fatal(s)
			}
		}
		if s, fields := d.look(t, "shop", "r"); s != 429 || fields["retry_after_ms"] != 100.0 {
			t.Error(s, fields)
		}
	})
}

func TestWhatIsKeptOfReplies(t *testing.T) {
	for _, reply := range []string{"", "{}", `{"v":1,"outcome":"signed","retryable":false}`} {
		if r, _, err := kept([]byte(reply), string(messages.JSON)); err == nil {
			t.Errorf("%q is kept as %q", reply, r.ID)
		}
	}
}
