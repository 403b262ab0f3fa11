// The two decisions row by row: what an asker is told of an entry, and what is done next for a key.

package dedupe_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/dedupe"
)

// zero is when the records of the tables were written, by the store's clock.
var zero = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds int) time.Time { return zero.Add(time.Duration(seconds) * time.Second) }

// entry is a record of run "r" about question "q", written at zero.
func entry(phase dedupe.Phase, change ...func(*dedupe.Record)) dedupe.Entry {
	e := dedupe.Entry{Key: "k", Seq: 7, Time: zero, Record: dedupe.Record{Phase: phase, Run: "r", LeaseMs: 12_000, Question: []byte("q")}}
	if phase == dedupe.Done {
		e.Record.Answer, e.Record.KeepMs = []byte("new"), 60_000
	}
	for _, c := range change {
		c(&e.Record)
	}
	return e
}

// prev puts an answer behind it that was stored 100 s before, kept so many seconds.
func prev(keep int64) func(*dedupe.Record) {
	return func(r *dedupe.Record) {
		r.Prev = &dedupe.Kept{Run: "p", Answer: []byte("old"), AtMs: at(-100).UnixMilli(), KeepMs: keep * 1000}
	}
}

func asker(r *dedupe.Record) { r.Ask = "mine" }

func isFailed(r *dedupe.Record) { r.Failed = true }
func isOnce(r *dedupe.Record)   { r.Failed, r.Once = true, true }
func deaths(n int) func(*dedupe.Record) {
	return func(r *dedupe.Record) { r.Deaths = n }
}

func TestJudge(t *testing.T) {
	const anyAge = -time.Second
	const nothing = dedupe.Kind(0)
	tests := []struct {
		name     string
		e        dedupe.Entry
		question string
		stored   int // seconds from zero
		maxAge   time.Duration
		now      int
		kind     dedupe.Kind
		answer   string
		source   dedupe.Source
	}{
		{"absent", dedupe.Entry{Key: "k"}, "q", 0, anyAge, 0, nothing, "", 0},
		{"absent, asker gone", dedupe.Entry{Key: "k"}, "q", 0, anyAge, 30, dedupe.Expired, "", 0},
		{"running", entry(dedupe.Running), "q", 0, anyAge, 29, nothing, "", 0},
		{"running, asker gone", entry(dedupe.Running), "q", 0, anyAge, 30, dedupe.Expired, "", 0},
		{"running, another question", entry(dedupe.Running), "x", 0, anyAge, 0, dedupe.Conflict, "", 0},
		{"suspect, another question", entry(dedupe.Suspect), "x", 0, anyAge, 0, dedupe.Conflict, "", 0},
		{"released, another question", entry(dedupe.Released), "x", 0, anyAge, 0, nothing, "", 0},
		{"released with an earlier answer, another question", entry(dedupe.Released, prev(600)), "x", 0, anyAge, 0, dedupe.Conflict, "", 0},
		{"done", entry(dedupe.Done), "q", 1, anyAge, 1, dedupe.Answered, "new", dedupe.Remembered},
		{"done while it waited", entry(dedupe.Done), "q", -1, anyAge, 0, dedupe.Answered, "new", dedupe.Joined},
		{"done, its own run", entry(dedupe.Done, asker), "q", -1, anyAge, 0, dedupe.Answered, "new", dedupe.Asked},
		{"done, its own run, stored only then", entry(dedupe.Done, asker), "q", 1, anyAge, 1, dedupe.Answered, "new", dedupe.Asked},
		{"failed refresh by itself, old one accepted", entry(dedupe.Done, asker, isFailed, prev(600)), "q", 1, anyAge, 1, dedupe.Answered, "old", dedupe.Remembered},
		{"given up, its own run", entry(dedupe.Done, asker, isOnce), "q", 0, anyAge, 1, dedupe.Answered, "new", dedupe.Asked},
		{"done, asker gone", entry(dedupe.Done), "q", -40, anyAge, 1, dedupe.Answered, "new", dedupe.Joined},
		{"done, last moment", entry(dedupe.Done), "q", 59, anyAge, 59, dedupe.Answered, "new", dedupe.Remembered},
		{"done, time over", entry(dedupe.Done), "q", 60, anyAge, 60, nothing, "", 0},
		{"done, time over, another question", entry(dedupe.Done), "x", 60, anyAge, 60, nothing, "", 0},
		{"done, another question", entry(dedupe.Done), "x", 1, anyAge, 1, dedupe.Conflict, "", 0},
		{"done, just young enough", entry(dedupe.Done), "q", 10, 10 * time.Second, 10, dedupe.Answered, "new", dedupe.Remembered},
		{"done, too old", entry(dedupe.Done), "q", 10, 9 * time.Second, 10, nothing, "", 0},
		{"done, in flight when asked, no age accepted", entry(dedupe.Done), "q", -1, 0, 1, dedupe.Answered, "new", dedupe.Joined},
		{"refreshing, old one accepted", entry(dedupe.Running, prev(600)), "q", 0, anyAge, 0, dedupe.Answered, "old", dedupe.Remembered},
		{"refreshing, old one not accepted", entry(dedupe.Running, prev(600)), "q", 0, 99 * time.Second, 0, nothing, "", 0},
		{"refreshing, old one's time over", entry(dedupe.Running, prev(100)), "q", 0, anyAge, 0, nothing, "", 0},
		{"failed", entry(dedupe.Done, isFailed), "q", 1, anyAge, 1, dedupe.Answered, "new", dedupe.Remembered},
		{"failed, no age accepted", entry(dedupe.Done, isFailed), "q", 10, 0, 10, dedupe.Answered, "new", dedupe.Remembered},
		{"failed, time over", entry(dedupe.Done, isFailed), "q", 60, anyAge, 60, nothing, "", 0},
		{"failed refresh, old one accepted", entry(dedupe.Done, isFailed, prev(600)), "q", 1, anyAge, 1, dedupe.Answered, "old", dedupe.Remembered},
		{"failed refresh, refresher", entry(dedupe.Done, isFailed, prev(600)), "q", -1, 0, 1, dedupe.Answered, "new", dedupe.Joined},
		{"failed refresh, both times over", entry(dedupe.Done, isFailed, prev(160)), "q", 60, anyAge, 60, nothing, "", 0},
		{"failed refresh, its time over, old one lives", entry(dedupe.Done, isFailed, prev(600)), "q", 60, anyAge, 60, dedupe.Answered, "old", dedupe.Remembered},
		{"given up, asked before", entry(dedupe.Done, isOnce), "q", 0, anyAge, 1, dedupe.Answered, "new", dedupe.Remembered},
		{"given up, asked after", entry(dedupe.Done, isOnce), "q", 1, anyAge, 1, nothing, "", 0},
		{"given up, asked after, old one lives", entry(dedupe.Done, isOnce, prev(600)), "q", 1, anyAge, 1, dedupe.Answered, "old", dedupe.Remembered},
		{"given up, asked after, asker gone", entry(dedupe.Done, isOnce), "q", 1, anyAge, 31, dedupe.Expired, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, ok := dedupe.Judge(tt.e, &dedupe.Ask[string]{ID: "mine", Question: []byte(tt.question), Stored: at(tt.stored), MaxAge: tt.maxAge,
				Until: at(tt.stored + 30)}, at(tt.now))
			if ok != (tt.kind != nothing) || v.Kind != tt.kind || string(v.Answer) != tt.answer || v.Source != tt.source {
				t.Errorf("told %v: kind %d %q source %d; want kind %d %q source %d", ok, v.Kind, v.Answer, v.Source, tt.kind, tt.answer, tt.source)
			}
			wantRun := map[string]string{"new": "r", "old": "p"}[tt.answer]
			wantAt := map[string]time.Time{"new": zero, "old": at(-100)}[tt.answer]
			if v.Run != wantRun || !v.At.Equal(wantAt) {
				t.Errorf("run %q stored at %v, want %q at %v", v.Run, v.At, wantRun, wantAt)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	const s = time.Second
	fail := dedupe.Options{AfterCrash: dedupe.Fail}
	tests := []struct {
		name   string
		o      dedupe.Options
		e      dedupe.Entry
		read   bool
		silent time.Duration
		now    int
		act    string
		expect uint64
		wait   time.Duration
	}{
		{"absent", dedupe.Options{}, dedupe.Entry{Key: "k"}, true, 0, 0, "claim", 0, 0},
		{"running", dedupe.Options{}, entry(dedupe.Running), false, 5 * s, 5, "wait", 0, 7 * s},
		{"running for a whole lease", dedupe.Options{}, entry(dedupe.Running), false, 12 * s, 12, "suspect", 7, 0},
		{"the holder's lease counts, not ours", dedupe.Options{Lease: 4 * s}, entry(dedupe.Running), false, 5 * s, 5, "wait", 0, 7 * s},
		{"old record, heard of just now", dedupe.Options{}, entry(dedupe.Running), true, 0, 1000, "wait", 0, 12 * s},
		{"suspect", dedupe.Options{}, entry(dedupe.Suspect), false, s, 1, "wait", 0, s},
		{"suspect for the grace", dedupe.Options{}, entry(dedupe.Suspect), false, 2 * s, 2, "take", 7, 0},
		{"suspect for the grace, not run again", fail, entry(dedupe.Suspect), false, 2 * s, 2, "give up", 7, 0},
		{"second death", dedupe.Options{}, entry(dedupe.Suspect, deaths(1)), false, 2 * s, 2, "take", 7, 0},
		{"third death", dedupe.Options{}, entry(dedupe.Suspect, deaths(2)), false, 2 * s, 2, "give up", 7, 0},
		{"released", dedupe.Options{}, entry(dedupe.Released), true, 0, 0, "claim", 7, 0},
		{"released after two panics", dedupe.Options{}, entry(dedupe.Released, deaths(2)), true, 0, 0, "claim", 7, 0},
		{"released after three panics", dedupe.Options{}, entry(dedupe.Released, deaths(3)), true, 0, 0, "give up", 7, 0},
		{"done, not fresh enough", dedupe.Options{}, entry(dedupe.Done), false, 0, 10, "claim", 7, 0},
		{"done after deaths, not fresh enough", dedupe.Options{}, entry(dedupe.Done, deaths(3)), false, 0, 10, "claim", 7, 0},
		{"done, ended, may be there yet", dedupe.Options{}, entry(dedupe.Done), false, 0, 61, "claim", 7, 0},
		{"done, ended long ago", dedupe.Options{}, entry(dedupe.Done), false, 0, 62, "claim", 0, 0},
		{"done, ended long ago, but read", dedupe.Options{}, entry(dedupe.Done), true, 0, 62, "claim", 7, 0},
		{"done, ended, kept for the one before", dedupe.Options{}, entry(dedupe.Done, isFailed, prev(600)), false, 0, 62, "claim", 7, 0},
		{"released long ago", dedupe.Options{}, entry(dedupe.Released), false, 0, 62, "claim", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			act, expect, wait := dedupe.Decide(tt.o, tt.e, tt.read, tt.silent, at(tt.now))
			if act != tt.act || expect != tt.expect || wait != tt.wait {
				t.Errorf("%s over %d after %v, want %s over %d after %v", act, expect, wait, tt.act, tt.expect, tt.wait)
			}
		})
	}
}

// What is stored by an accident is an error, never a panic, and what is read stays the same when stored again.
func FuzzDecodeRecord(f *testing.F) {
	full := dedupe.Record{Phase: dedupe.Done, Run: "r", Ask: "t", Owner: "o", Attempt: 2, Journal: []byte("j"), Deaths: 1, LeaseMs: 12000,
		Question: []byte("q"), Answer: []byte("a"), KeepMs: 1, Failed: true, Once: true, Prev: &dedupe.Kept{Run: "p", Answer: []byte("b"), AtMs: 3, KeepMs: 4}}
	seeds := 0
	for _, r := range []dedupe.Record{full, {Phase: dedupe.Running}, {Phase: dedupe.Suspect}, {Phase: dedupe.Released}} {
		b := r.Encode()
		back, err := dedupe.DecodeRecord(b)
		if d := cmp.Diff(r, back); d != "" || err != nil {
			f.Fatalf("%v: %s", err, d)
		}
		for n := range b { // cut short anywhere
			f.Add(b[:n])
		}
		f.Add(b)
		seeds++
	}
	for _, b := range []string{"\x81\xa5phase\xa4done", "\x81\xa5phase\xa4lost", "\x81\xa6answer\xc6\xff\xff\xff\xff", "\x81\xa1x\xdd\xff\xff\xff\xff",
		"\x81\xa4prev\x81\xa1x\xdf\xff\xff\xff\xff", "\xc0", "\xdf\xff\xff\xff\xff", strings.Repeat("\x91", 1000), "\x81\xa4prev\xc0"} {
		f.Add([]byte(b))
		seeds++
	}
	if seeds < 10 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := dedupe.DecodeRecord(b)
		if err != nil {
			if d := cmp.Diff(dedupe.Record{}, r); d != "" {
				t.Fatalf("a record beside the error: %s", d)
			}
			return
		}
		once := r.Encode()
		back, err := dedupe.DecodeRecord(once)
		if err != nil {
			t.Fatalf("what was read and stored again is not read: %v", err)
		}
		if twice := back.Encode(); !bytes.Equal(once, twice) {
			t.Fatalf("stored again it changes: %x, %x", once, twice)
		}
	})
}
