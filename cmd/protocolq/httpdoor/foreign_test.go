// Replies to what an asker did not ask: others may be able to write among its replies, and may know
// its ids.

package httpdoor

import (
	"log/slog"
	"testing"

	"protocolq/messages"
)

func TestReplyToAnotherQuestion(t *testing.T) {
	memory := &remembered{}
	d := openDoor(t, options{Fleet: silent(), Memory: memory})
	reading := &replies{asker: "shop", memory: memory, log: slog.New(slog.DiscardHandler)}
	if w, fields := d.do(t, post(good, header("Prefer", "respond-async"))); w.StatusCode != 202 {
		t.Fatal(fields)
	}
	own := messages.Query{Partner: partner, UserEmail: "zhang@example.com"}.QuestionText()
	foreign := messages.Query{Partner: partner, UserEmail: "li@example.com"}.QuestionText()
	for _, c := range []struct {
		name   string
		r      messages.Result
		status int
		says   any // the outcome at the query's address after that
	}{
		{"to another question", messages.Result{ID: "r-1", Outcome: messages.NotSigned, Question: foreign}, 202, nil},
		{"to its own", messages.Result{ID: "r-1", Outcome: messages.Signed, Question: own}, 200, "signed"},
		{"to another question, later", messages.Result{ID: "r-1", Outcome: messages.NotSigned, Question: foreign}, 200, "signed"},
		{"of a worker that names none", messages.Result{ID: "r-1", Outcome: messages.Abnormal}, 200, "abnormal"},
	} {
		data, err := c.r.Encode(messages.MsgPack)
		if err != nil {
			t.Fatal(err)
		}
		m := &handed{data: string(data)}
		if reading.take(t.Context(), m); !m.acked {
			t.Errorf("%s: it comes again", c.name)
		}
		if status, fields := d.look(t, "shop", "r-1"); status != c.status || fields["outcome"] != c.says {
			t.Errorf("%s: %d %v", c.name, status, fields)
		}
	}
}

// What was stored by a door that did not compare is not shown either.
func TestStoredAnswerToAnotherQuestion(t *testing.T) {
	memory := &remembered{}
	d := openDoor(t, options{Fleet: silent(), Memory: memory})
	if w, fields := d.do(t, request("POST", "/v1/batches", batchOf("night-1", aQuery("a")))); w.StatusCode != 202 {
		t.Fatal(fields)
	}
	replied(t, memory, "shop", messages.Result{ID: "a", Outcome: messages.NotSigned,
		Question: messages.Query{Partner: partner, UserEmail: "li@example.com"}.QuestionText()})
	if status, fields := d.look(t, "shop", "a"); status != 202 {
		t.Errorf("%d %v", status, fields)
	}
	if w, fields := d.do(t, request("GET", "/v1/batches/night-1", "")); w.StatusCode != 202 || fields["answered"] != 0.0 {
		t.Errorf("%d %v", w.StatusCode, fields)
	}
}
