// The view: what it says, and that it fits.

package watch

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"protocolq/cmd/protocolq/snapshot"
	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/outbox"
	"protocolq/worker/partner"
)

var update = flag.Bool("update", false, "write the golden views anew")

// fleetOf returns a fleet with that many workers, partners and slow calls.
func fleetOf(workers, partners, slow int) snapshot.Fleet {
	f := snapshot.Fleet{At: time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)}
	for i := range workers {
		w := worker.Stats{Member: fmt.Sprintf("4ToNQgWQwBePUd7nqx%04d", i), Members: workers, Slots: 256, InFlight: i, Keys: 1000 * i, Position: uint64(5000 - i),
			LeaseMs: 9840, Outcomes: map[string]uint64{"signed": 100, "unknown": 4}, Sources: map[string]uint64{"asked": 60, "remembered": 44},
			Gateway: worker.Histogram{Count: 60, UpTo: []int64{100, 500}, Buckets: []uint64{50, 9, 1}}, UptimeMs: 3_600_000 * int64(i+1), Partners: map[string]worker.Partner{}, Halts: map[string]partner.Halt{}}
		for p := range partners {
			id := fmt.Sprintf("20880000000000%02d", p)
			w.Partners[id] = worker.Partner{Calls: 60, Rate: 50, Concurrency: p}
			if p == 1 {
				w.Halts[id] = partner.Halt{Halted: true, SinceMs: f.At.Add(-time.Hour).UnixMilli(), By: partner.ByOperator, Who: "li@ops", Reason: "contract\x1b[2J is being renewed"}
			}
			if p == 2 && i == 1 { // this worker alone
				w.Halts[id] = partner.Halt{Halted: true, SinceMs: f.At.Add(-time.Minute).UnixMilli(), By: "W1", Code: "ILLEGAL_SIGN", Reason: "its key"}
			}
		}
		for s := range slow {
			w.Slow = append(w.Slow, worker.SlowCall{Partner: "2088000000000000", Account: "z***@example.com", Attempt: s + 1, ForMs: int64(1000*s + 1234)})
		}
		f.Workers = append(f.Workers, w)
	}
	for i, k := range messages.Kinds() {
		f.Streams = append(f.Streams, snapshot.Stream{Kind: k, Messages: uint64(i * 1000), Fill: float64(i) / 10, OldestMs: int64(i) * 60_000})
	}
	return f
}

func earlier(f snapshot.Fleet) snapshot.Fleet {
	before := snapshot.Fleet{At: f.At.Add(-2 * time.Second)}
	for _, w := range f.Workers {
		before.Workers = append(before.Workers, worker.Stats{Member: w.Member, Outcomes: map[string]uint64{"signed": 50}, UptimeMs: w.UptimeMs - 2000})
	}
	return before
}

func TestViews(t *testing.T) {
	for name, f := range map[string]snapshot.Fleet{"rest": fleetOf(2, 2, 0), "night": fleetOf(40, 12, 5), "nobody": {At: time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC), Faults: []string{"PROTOCOL_JOURNAL: nats: timeout"}}} {
		if name == "night" {
			f.Workers[3].JournalFill, f.Workers[3].LogFull, f.Workers[3].Paused = 0.83, true, true
			f.Workers[3].Outbox.Sinks = []outbox.SinkStats{{Name: "event", Waiting: 17, Away: true}}
		}
		v := view{prefix: "protocol", server: "nats-1", now: f, before: earlier(f), width: 80, height: 24}
		text := v.text()
		path := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || string(want) != text {
			t.Errorf("%s:\n%s, want (-update writes it)\n%s, %v", name, text, want, err)
		}
		for _, size := range [][2]int{{80, 24}, {40, 10}, {132, 50}, {20, 3}, {80, 1}} {
			v.width, v.height = size[0], size[1]
			lines := strings.Split(strings.TrimSuffix(v.text(), "\n"), "\n")
			if len(lines) > size[1] {
				t.Errorf("%s: %d lines on %v", name, len(lines), size)
			}
			for _, line := range lines {
				if utf8.RuneCountInString(line) > size[0] || strings.ContainsAny(line, "\x1b\r\t") {
					t.Errorf("%s on %v: %q", name, size, line)
				}
			}
		}
		if v.width, v.height = 0, 0; strings.Contains(v.text(), "…  ") || strings.Contains(v.text(), " more\n") {
			t.Errorf("%s: something is cut where there is room:\n%s", name, v.text())
		}
	}
}

func TestFrame(t *testing.T) {
	if got := frame("a\nb\nc\n", 2); got != home+"a"+clear+"\r\nb"+clear+below {
		t.Errorf("%q", got)
	}
}

func TestQuit(t *testing.T) {
	for keys, want := range map[string]bool{"xyq": true, "Q": true, "\x03": true, "": true} { // the end of input, too
		over := false
		untilQuit(strings.NewReader(keys), func() { over = true })
		if over != want {
			t.Errorf("%q: %v", keys, over)
		}
	}
}
