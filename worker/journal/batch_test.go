// What a batch says of itself.

package journal_test

import (
	"slices"
	"testing"

	"protocolq/worker/journal"
)

func TestRefsAreInTheLogsOrder(t *testing.T) {
	want := []journal.Ref{{}, {Position: 1, Index: 2}, {Position: 2, Index: 1}, {Position: 2, Index: 3}, {Position: 1 << 40, Index: 1}}
	got := []journal.Ref{want[3], want[1], want[4], want[0], want[2]}
	slices.SortFunc(got, journal.Ref.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %v, want %v", got, want)
	}
	for i, r := range want {
		if r.IsZero() != (i == 0) {
			t.Errorf("%v is zero: %v", r, r.IsZero())
		}
	}
	if s := want[3].String(); s != "2/3" {
		t.Errorf("written as %s", s)
	}
}

func TestSealIsTheLastEntry(t *testing.T) {
	seal := &journal.Seal{By: "m", Why: "drained"}
	for _, c := range []struct {
		name    string
		entries []journal.Entry
		want    *journal.Seal
	}{
		{"beat", nil, nil},
		{"no seal", []journal.Entry{&journal.Told{}}, nil},
		{"alone", []journal.Entry{seal}, seal},
		{"after others", []journal.Entry{&journal.Told{}, seal}, seal},
	} {
		b := journal.Batch{Position: 7, Entries: c.entries}
		if got := b.Seal(); got != c.want {
			t.Errorf("%s: seal %v, want %v", c.name, got, c.want)
		}
	}
	if r := (&journal.Batch{Position: 7}).Ref(0); r != (journal.Ref{Position: 7, Index: 1}) {
		t.Errorf("place of the first entry: %v", r)
	}
}
