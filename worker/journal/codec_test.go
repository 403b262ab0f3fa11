// What is written is read, nothing else is, and what a newer worker may add is passed over.

package journal_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/journal"
	"protocolq/worker/pack"
)

var update = flag.Bool("update", false, "write the golden files anew")

// samples has each kind of entry with every field set, and with none that need not be.
func samples() map[string]journal.Entry {
	key, question, person := journal.Key{1, 2}, journal.Hash{3}, [2]journal.Hash{{4}, {5}}
	ask := &journal.Ask{Token: "TOKEN1", Key: key, Question: question, Query: []byte("query"), Reply: "_INBOX_rq.a.b", Encoding: 1, Door: journal.Submit,
		Partner: "2088101122136241", Asker: "shop", ID: journal.Hash{6}, Persons: person, Given: true, Left: 1500 * time.Millisecond, MaxAge: 0,
		Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	near := *ask
	near.Near = journal.Near{Earlier: journal.Hash{7}, Later: journal.Hash{8}, Into: 9*time.Minute + 59_999*time.Millisecond}
	begin := &journal.Begin{Key: key, Run: "RUN2", Attempt: 3, Deaths: 1, Before: journal.Outcome{Code: "SYSTEM_ERROR", Detail: []byte{9}}, Partner: "2088101122136241",
		Asked: journal.Ref{Position: 17, Index: 2}, Follows: "RUN1"}
	answer := &journal.Answer{Key: key, Question: question, Run: "RUN2", Verdict: journal.Crashed, Result: []byte("result"), Code: "CRASHED",
		Attempts: []journal.Outcome{{Code: "A", Detail: []byte{1}}, {Code: "B"}}, Keep: 30 * time.Second, Partner: "2088101122136241",
		Begun: journal.Ref{Position: 18, Index: 1}, Final: []journal.Final{{Token: "TOKEN1", ID: journal.Hash{6}}, {Token: "TOKEN2"}}, Persons: person}
	return map[string]journal.Entry{
		"ask":      ask,
		"near ask": &near,
		"begin":    begin,
		"answer":   answer,
		"settled":  &journal.Settled{Asks: []journal.Ref{{Position: 20, Index: 1}, {Position: 19, Index: 7}, {Position: 300_000, Index: 2}}, Run: "RUN1", Answer: journal.Ref{Position: 5, Index: 1}, Why: "DEADLINE"},
		"told":     &journal.Told{Entries: []journal.Ref{{Position: 1 << 40, Index: 1}, {Position: 1 << 40, Index: 2}}, Tokens: []string{"TOKEN0"}},
		"seal":     &journal.Seal{By: "other_-9", Why: "silent for 3s"},
		"forget":   &journal.Forget{Person: journal.Hash{4}},
		"carried":  &journal.Carried{First: journal.Ref{Position: 17, Index: 2}, Writer: "member", Age: time.Minute, Entry: ask},
		"skipped":  &journal.Skipped{Of: 200, Body: []byte("from later")},
		"bare ask": &journal.Ask{Door: journal.Await, MaxAge: -1},
		"released": &journal.Answer{Verdict: journal.Released},
		"beginner": &journal.Begin{},
		"no told":  &journal.Told{},
		"no asks":  &journal.Settled{},
	}
}

func message(data []byte) journal.Message {
	return journal.Message{Member: "member", Position: 1000, Stored: time.Unix(1_800_000_000, 0).UTC(), Data: data}
}

func TestEntriesComeBack(t *testing.T) {
	for name, e := range samples() {
		t.Run(name, func(t *testing.T) {
			data, err := journal.Encode(41, 999, e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := journal.Decode(message(data))
			if err != nil {
				t.Fatal(err)
			}
			want := &journal.Batch{Head: journal.Head{Format: 1, Layout: 1, Number: 41, Read: 999}, Entries: []journal.Entry{e},
				Member: "member", Position: 1000, Stored: time.Unix(1_800_000_000, 0).UTC()}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if k := e.Kind(); got.Entries[0].Kind() != k {
				t.Errorf("kind %d, want %d", got.Entries[0].Kind(), k)
			}
		})
	}
}

// The bytes of each kind are those of every version: a changed file is a log that other workers do
// not read.
func TestGolden(t *testing.T) {
	for name, e := range samples() {
		data, err := journal.Encode(41, 999, e)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".hex")
		if *update {
			if err := os.WriteFile(path, []byte(hex.Dump(data)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.Dump(data); got != string(want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Times lose what is below a millisecond, and none becomes zero, which says that there is no
// deadline.
func TestTimesAreRoundedUp(t *testing.T) {
	for in, want := range map[time.Duration]time.Duration{0: 0, 1: time.Millisecond, time.Millisecond: time.Millisecond, 1_500_001: 2 * time.Millisecond} {
		a := &journal.Ask{Door: journal.Await, Left: in, MaxAge: -7}
		b := decoded(t, a)
		if got := b.Entries[0].(*journal.Ask); got.Left != want || got.MaxAge != -1 {
			t.Errorf("%v is read as %v, any age as %v; want %v", in, got.Left, got.MaxAge, want)
		}
		if a.Left != in || a.MaxAge != -7 {
			t.Errorf("writing changed the entry: %+v", a)
		}
	}
}

func decoded(t *testing.T, entries ...journal.Entry) *journal.Batch {
	t.Helper()
	data, err := journal.Encode(1, 0, entries...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := journal.Decode(message(data))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An entry refers to one of its own batch before anybody knows the batch's position.
func TestPlacesInTheirOwnBatch(t *testing.T) {
	d := journal.NewDraft(0)
	ask, err := d.Add(&journal.Ask{Door: journal.Await})
	if err != nil || ask != (journal.Ref{Index: 1}) {
		t.Fatalf("first place %v, %v", ask, err)
	}
	begin, err := d.Add(&journal.Begin{Asked: ask})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Add(&journal.Told{Entries: []journal.Ref{{Position: 7, Index: 3}, ask, begin, {Position: 2000, Index: 1}}}); err != nil {
		t.Fatal(err)
	}
	data, err := d.Encode(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := journal.Decode(message(data))
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Entries[1].(*journal.Begin).Asked; got != b.Ref(0) || got.Position != 1000 {
		t.Errorf("asked by %v, want %v", got, b.Ref(0))
	}
	want := []journal.Ref{{Position: 7, Index: 3}, b.Ref(0), b.Ref(1), {Position: 2000, Index: 1}}
	if d := cmp.Diff(want, b.Entries[2].(*journal.Told).Entries); d != "" {
		t.Error(d)
	}
}

// raw writes a batch by another hand.
func raw(format byte, head []byte, entries ...[]byte) []byte {
	b := append([]byte{format, 0, 0, 0, 0}, pack.AppendBytes(nil, head)...)
	return resum(append(b, bytes.Join(entries, nil)...))
}

// resum makes the sum of a batch right.
func resum(b []byte) []byte {
	binary.BigEndian.PutUint32(b[1:], crc32.Checksum(append([]byte{b[0]}, b[5:]...), crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func rawHead(layout, number, read int64) []byte {
	return pack.AppendInt(pack.AppendInt(pack.AppendInt(nil, layout), number), read)
}

func rawEntry(kind int64, body []byte) []byte {
	return pack.AppendBytes(pack.AppendInt(nil, kind), body)
}

func TestWhatANewerWorkerAdds(t *testing.T) {
	head := append(rawHead(1, 5, 4), "and more"...)
	seal := append(pack.AppendText(pack.AppendText(nil, "m"), "why"), "and more"...)
	b, err := journal.Decode(message(raw(1, head, rawEntry(128, []byte("later")), rawEntry(255, nil), rawEntry(6, seal))))
	if err != nil {
		t.Fatal(err)
	}
	want := []journal.Entry{&journal.Skipped{Of: 128, Body: []byte("later")}, &journal.Skipped{Of: 255, Body: []byte{}}, &journal.Seal{By: "m", Why: "why"}}
	if d := cmp.Diff(want, b.Entries); d != "" || b.Number != 5 || b.Read != 4 {
		t.Errorf("number %d, read %d: %s", b.Number, b.Read, d)
	}
}

func TestNotUnderstood(t *testing.T) {
	head := rawHead(1, 5, 4)
	seal := pack.AppendText(pack.AppendText(nil, "m"), "why")
	many := make([][]byte, journal.MaxEntries+1)
	for i := range many {
		many[i] = rawEntry(128, nil)
	}
	ref := func(distance, index int64) []byte { return pack.AppendInt(pack.AppendInt(nil, distance), index) }
	told := func(refs ...[]byte) []byte {
		return rawEntry(5, pack.AppendList(append(pack.AppendList(nil, len(refs)), bytes.Join(refs, nil)...), 0))
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"format":            {raw(2, head), "format 2 is not known"},
		"layout":            {raw(1, rawHead(2, 5, 4)), "layout 2 is not known"},
		"layout 0":          {raw(1, rawHead(0, 5, 4)), "head is out of range"},
		"no number":         {raw(1, rawHead(1, 0, 4)), "head is out of range"},
		"read below 0":      {raw(1, rawHead(1, 5, -1)), "head is out of range"},
		"read too far":      {raw(1, rawHead(1, 5, 1<<61)), "head is out of range"},
		"half a head":       {raw(1, head[:2]), "head ends in the middle of a value"},
		"kind 9":            {raw(1, head, rawEntry(9, nil)), "entry 1 of kind 9 is not known"},
		"kind 0":            {raw(1, head, rawEntry(0, nil)), "entry 1 of kind 0 is not known"},
		"kind 127":          {raw(1, head, rawEntry(127, nil)), "entry 1 of kind 127 is not known"},
		"kind 256":          {raw(1, head, rawEntry(256, nil)), "entry 1 of kind 256 is out of range"},
		"kind -1":           {raw(1, head, rawEntry(-1, nil)), "entry 1 of kind -1 is out of range"},
		"half an entry":     {raw(1, head, rawEntry(6, seal)[:5]), "entry 1 ends in the middle of a value"},
		"half a seal":       {raw(1, head, rawEntry(6, seal[:3])), "entry 1 of kind 6 ends in the middle of a value"},
		"no member":         {raw(1, head, rawEntry(6, pack.AppendText(pack.AppendText(nil, "a.b"), ""))), `entry 1 of kind 6 "a.b" is no member's id`},
		"after the seal":    {raw(1, head, rawEntry(6, seal), rawEntry(128, nil)), "entry 2 of kind 128 comes after the seal"},
		"door":              {raw(1, head, rawEntry(1, askWithDoor(3))), "entry 1 of kind 1 is out of range"},
		"short hash":        {raw(1, head, rawEntry(7, pack.AppendBytes(nil, []byte{1, 2}))), "entry 1 of kind 7 is out of range"},
		"long text":         {raw(1, head, rawEntry(6, pack.AppendText(pack.AppendText(nil, "m"), strings.Repeat("x", 1025)))), "entry 1 of kind 6 is too long"},
		"place 0":           {raw(1, head, told(ref(7, 0))), "entry 1 of kind 5 is out of range"},
		"place before 0":    {raw(1, head, told(ref(7, 1), ref(-8, 1))), "entry 1 of kind 5 is out of range"},
		"place too far":     {raw(1, head, told(ref(1<<62, 1))), "entry 1 of kind 5 is out of range"},
		"index too high":    {raw(1, head, told(ref(7, journal.MaxEntries+1))), "entry 1 of kind 5 is out of range"},
		"carries a seal":    {raw(1, head, rawEntry(8, carried(6))), "entry 1 of kind 8 carries what cannot be carried"},
		"carries a carried": {raw(1, head, rawEntry(8, carried(8))), "entry 1 of kind 8 carries what cannot be carried"},
		"carries a later":   {raw(1, head, rawEntry(8, carried(200))), "entry 1 of kind 8 carries what cannot be carried"},
		"too many entries":  {raw(1, head, many...), "entry 16385 of kind 128 are too many"},
		"too long":          {raw(1, head, rawEntry(128, make([]byte, journal.MaxBatch))), "batch is too long"},
	} {
		b, err := journal.Decode(message(c.data))
		want := "journal: batch is not understood: update this worker: position 1000 of member member: " + c.want
		if !errors.Is(err, journal.ErrNewer) || errors.Is(err, journal.ErrCorrupt) || b != nil || err.Error() != want {
			t.Errorf("%s: %v, %v, want %s", name, b, err, c.want)
		}
	}
}

func carried(kind int64) []byte {
	b := pack.AppendInt(pack.AppendInt(nil, 7), 1)
	return pack.AppendInt(pack.AppendInt(pack.AppendText(b, "m"), 0), kind)
}

func askWithDoor(door int64) []byte {
	b := pack.AppendText(nil, "TOKEN")
	b = pack.AppendBytes(pack.AppendBytes(pack.AppendBytes(b, nil), nil), nil)
	return pack.AppendInt(pack.AppendInt(pack.AppendText(b, ""), 0), door)
}

func TestCorrupt(t *testing.T) {
	whole, err := journal.Encode(1, 0, &journal.Told{Tokens: []string{"TOKEN"}})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{"nothing": nil, "four bytes": {1, 0, 0, 0}, "cut": whole[:len(whole)-1], "longer": append(bytes.Clone(whole), 0), "text": []byte("hello, world")}
	for i := range whole {
		for bit := range 8 {
			changed := bytes.Clone(whole)
			changed[i] ^= 1 << bit
			cases[fmt.Sprintf("bit %d of byte %d", bit, i)] = changed
		}
	}
	for name, data := range cases {
		b, err := journal.Decode(message(data))
		if !errors.Is(err, journal.ErrCorrupt) || errors.Is(err, journal.ErrNewer) {
			t.Fatalf("%s: %v", name, err)
		}
		want := &journal.Batch{Member: "member", Position: 1000, Stored: time.Unix(1_800_000_000, 0).UTC(), Corrupt: append([]byte{}, data...)}
		if d := cmp.Diff(want, b); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestRefusedWhenWritten(t *testing.T) {
	refs := make([]journal.Ref, journal.MaxRefs+1)
	for i := range refs {
		refs[i] = journal.Ref{Position: 1, Index: 1}
	}
	for name, e := range map[string]journal.Entry{
		"long text":        &journal.Seal{By: "m", Why: strings.Repeat("x", 1025)},
		"long bytes":       &journal.Ask{Door: journal.Await, Query: make([]byte, 128<<10+1)},
		"no door":          &journal.Ask{},
		"unknown door":     &journal.Ask{Door: 3},
		"no verdict":       &journal.Answer{},
		"no member":        &journal.Seal{},
		"time below 0":     &journal.Ask{Door: journal.Await, Left: -1},
		"endless time":     &journal.Answer{Verdict: journal.Failed, Keep: 1<<63 - 1},
		"negative attempt": &journal.Begin{Attempt: -1},
		"place 0":          &journal.Told{Entries: []journal.Ref{{Position: 5}}},
		"nowhere":          &journal.Told{Entries: []journal.Ref{{}}},
		"too far":          &journal.Told{Entries: []journal.Ref{{Position: 1 << 61, Index: 1}}},
		"index too high":   &journal.Told{Entries: []journal.Ref{{Position: 1, Index: journal.MaxEntries + 1}}},
		"many places":      &journal.Told{Entries: refs},
		"many attempts":    &journal.Answer{Verdict: journal.Failed, Attempts: make([]journal.Outcome, journal.MaxAttempts+1)},
		"many final":       &journal.Answer{Verdict: journal.Crashed, Final: make([]journal.Final, journal.MaxFinal+1)},
		"carries nothing":  &journal.Carried{First: journal.Ref{Position: 1, Index: 1}, Writer: "m"},
		"carries a seal":   &journal.Carried{First: journal.Ref{Position: 1, Index: 1}, Writer: "m", Entry: &journal.Seal{By: "m"}},
		"carried nowhere":  &journal.Carried{First: journal.Ref{Index: 1}, Writer: "m", Entry: &journal.Told{}},
		"skips the known":  &journal.Skipped{Of: 127},
	} {
		d := journal.NewDraft(0)
		if _, err := d.Add(e); !errors.Is(err, journal.ErrInvalid) || errors.Is(err, journal.ErrNoRoom) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := d.Add(&journal.Told{}); err != nil || len(d.Entries()) != 1 {
			t.Errorf("%s: after it %v, %d entries", name, err, len(d.Entries()))
		}
	}
	d := journal.NewDraft(0)
	if _, err := d.Add(&journal.Seal{By: "m"}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Add(&journal.Told{}); !errors.Is(err, journal.ErrInvalid) {
		t.Errorf("after the seal: %v", err)
	}
	for _, h := range [][2]uint64{{0, 1}, {1 << 63, 1}, {1, 1 << 63}} {
		if _, err := journal.Encode(h[0], h[1]); !errors.Is(err, journal.ErrInvalid) {
			t.Errorf("head %v: %v", h, err)
		}
	}
}

// A batch takes what fits and no more, and one entry that fits into none is told from one that fits
// into the next.
func TestRoom(t *testing.T) {
	big := &journal.Ask{Door: journal.Await, Query: make([]byte, 64<<10)}
	d, n := journal.NewDraft(0), 0
	for ; ; n++ {
		if _, err := d.Add(big); err != nil {
			if !errors.Is(err, journal.ErrNoRoom) {
				t.Fatal(err)
			}
			break
		}
	}
	data, err := d.Encode(1<<60, 1<<60)
	if err != nil || n != 3 || len(data) > journal.MaxBatch || len(data) > d.Size() {
		t.Fatalf("%d asks in %d bytes, %v", n, len(data), err)
	}
	if b, err := journal.Decode(message(data)); err != nil || len(b.Entries) != n {
		t.Errorf("read: %v", err)
	}
	small := journal.NewDraft(1000)
	if _, err := small.Add(big); !errors.Is(err, journal.ErrInvalid) {
		t.Errorf("an entry that is longer than a batch: %v", err)
	}
	if _, err := small.Add(&journal.Told{Tokens: []string{strings.Repeat("x", 900)}}); err != nil {
		t.Error(err)
	}
	if _, err := small.Add(&journal.Told{Tokens: []string{strings.Repeat("x", 900)}}); !errors.Is(err, journal.ErrNoRoom) {
		t.Errorf("an entry for which there is no room any more: %v", err)
	}
	if data, err := small.Encode(1<<60, 1<<60); err != nil || len(data) > 1000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	many := journal.NewDraft(0)
	for range journal.MaxEntries {
		if _, err := many.Add(&journal.Forget{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := many.Add(&journal.Forget{}); !errors.Is(err, journal.ErrNoRoom) {
		t.Errorf("one entry too many: %v", err)
	}
}

func TestMembers(t *testing.T) {
	for m, want := range map[journal.Member]bool{"": false, "a": true, "Aa0-_": true, "a.b": false, "a*": false, "a>": false, "a b": false, "ä": false,
		journal.Member(strings.Repeat("x", 64)): true, journal.Member(strings.Repeat("x", 65)): false} {
		if m.Valid() != want {
			t.Errorf("%q is a member's id: %v", m, m.Valid())
		}
	}
}
