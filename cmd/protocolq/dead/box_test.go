// What a page of dead letters lists, and what its buttons do.

package dead

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

func TestBox(t *testing.T) {
	h := newDeadServer(t)
	const partnerA, partnerB = "2088000000000001", "2088000000000002"
	h.add(messages.DeadExpired, queryBytes(t, messages.Query{ID: "one", Partner: partnerA, UserEmail: canaryEmail}), messages.HeaderSubject, "protocol.submit."+partnerA)
	h.add(messages.DeadPoison, queryBytes(t, messages.Query{ID: "two", Partner: partnerB, UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit."+partnerB)
	h.add(messages.DeadExpired, queryBytes(t, messages.Query{ID: "three", Partner: partnerA, UserEmail: "a@example.com"}), messages.HeaderSubject, "protocol.submit."+partnerA)
	h.add(messages.DeadUnreadable, []byte("no query"))
	b := NewBox(h.nc, h.js, deadNames(t), "$JS.API")
	for _, c := range []struct {
		name    string
		filter  Filter
		span    uint64
		want    []uint64
		partial bool
	}{
		{"all", Filter{}, 100, []uint64{4, 3, 2, 1}, false},
		{"one reason", Filter{Reason: messages.DeadExpired}, 100, []uint64{3, 1}, false},
		{"one partner", Filter{Partner: partnerB}, 100, []uint64{2}, false},
		{"one person", Filter{Matches: func(q *messages.Query) bool { return q.UserEmail == canaryEmail }}, 100, []uint64{1}, false},
		{"nobody", Filter{Partner: "2088000000000009"}, 100, nil, false},
		{"the newest", Filter{}, 2, []uint64{4, 3}, true},
		{"exactly all", Filter{}, 4, []uint64{4, 3, 2, 1}, false},
	} {
		found, err := b.Find(t.Context(), c.filter, c.span)
		var got []uint64
		for _, l := range found.Letters {
			got = append(got, l.Seq)
		}
		if d := cmp.Diff(c.want, got); err != nil || d != "" || found.Partial != c.partial {
			t.Errorf("%s: %v partial %v %s", c.name, err, found.Partial, d)
		}
	}
	l, err := b.Get(t.Context(), 1)
	if err != nil || l.Raw().UserEmail != canaryEmail || strings.Contains(l.UserEmail, "canary") {
		t.Errorf("%+v %v", l, err)
	}
	if d, err := b.Redrive(t.Context(), []uint64{1, 4, 9}, false); err != nil || d.Matched != 3 || d.Done != 1 || d.Gone != 1 || d.Skipped != 1 || d.Why == "" {
		t.Errorf("redrive: %+v %v", d, err)
	}
	if n := len(h.asked()); n != 1 {
		t.Errorf("%d asked again", n)
	}
	if d, err := b.Discard(t.Context(), []uint64{2, 4}); err != nil || d.Done != 2 {
		t.Errorf("discard: %+v %v", d, err)
	}
	if _, err := b.Get(t.Context(), 2); !errors.Is(err, ErrGone) {
		t.Errorf("discarded, and read: %v", err)
	}
	if found, err := b.Find(t.Context(), Filter{}, 100); err != nil || len(found.Letters) != 1 || found.Letters[0].Seq != 3 {
		t.Errorf("left: %+v %v", found, err)
	}
}

// A dead letter that somebody else has deleted meanwhile holds up none of those after it. One that
// the server does not delete is not taken for gone.
func TestDiscardOfWhatIsGone(t *testing.T) {
	h := newDeadServer(t)
	for range 4 {
		h.add(messages.DeadUnreadable, []byte("no query"))
	}
	b := NewBox(h.nc, h.js, deadNames(t), "$JS.API")
	for _, seqs := range [][]uint64{{1, 3}, {1, 3, 9, 2}} { // below the first, between two, above the last
		if d, err := b.Discard(t.Context(), seqs); err != nil || d.Done != len(seqs) {
			t.Errorf("discard %v: %+v %v", seqs, d, err)
		}
	}
	stream, err := h.js.Stream(t.Context(), "PROTOCOL_DEAD")
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.DenyDelete = true
	if _, err := h.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if d, err := b.Discard(t.Context(), []uint64{4}); err == nil || d.Done != 0 || len(h.messages("PROTOCOL_DEAD")) != 1 {
		t.Errorf("discard where nothing may be deleted: %+v %v", d, err)
	}
}
