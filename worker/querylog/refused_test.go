// Lines that the stream refuses for good, and asks whose lines are still waiting at the end.

package querylog_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/worker/querylog"
)

// A line that the stream will never take is not tried forever: what waits for it goes on, it is
// counted and logged, and the lines that came with it are written.
func TestALineRefusedForGoodBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		l := &played{most: 400, slow: time.Millisecond}
		p, end := running(t, l, func(o *querylog.PublisherOptions) { o.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
		var done []chan bool
		run := func(id string, calls int) {
			r := querylog.Run{ID: id, At: now(), Attempts: make([]querylog.Attempt, calls)}
			for i := range r.Attempts {
				r.Attempts[i] = querylog.Attempt{At: r.At, Code: "SYSTEM_ERROR"}
			}
			done = append(done, publishLine(p, r))
			synctest.Wait()
		}
		run("first", 0) // while it is on its way the others gather
		for i := range 8 {
			run(fmt.Sprint("run-", i), map[int]int{5: 20}[i])
		}
		var after []func() time.Duration
		for i := range 8 {
			token := fmt.Sprint("ask-", i)
			if i == 3 {
				token = strings.Repeat("x", 128)
				l.set(func() { l.most = 300 })
			}
			done, _ := stored(p, token, strings.Repeat(fmt.Sprint(i), 90))
			after = append(after, done)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantDone(t, true, done...)
		for i, a := range after {
			if a() < 0 {
				t.Errorf("ask %d: not done with", i)
			}
		}
		if len(l.runs) != 8 || len(l.asks) != 7 || p.Lost() != 2 || p.Full() {
			t.Errorf("%d runs of 8 and %d asks of 7 written, %d lost, full: %v", len(l.runs), len(l.asks), p.Lost(), p.Full())
		}
		time.Sleep(time.Minute)
		tries := l.tries
		remember(p, "a", strings.Repeat("y", 128), "b")
		l.set(func() { l.most = 120 })
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(l.asks) != 9 || p.Lost() != 3 || l.tries > tries+5 {
			t.Errorf("from memory: %d asks of 9 written, %d lost, %d tries", len(l.asks), p.Lost(), l.tries-tries)
		}
		end()
		if n := strings.Count(text.String(), `level=ERROR msg="line not logged"`); n != 2 || strings.Contains(text.String(), "query log not written") {
			t.Errorf("said %d times, want at once and a minute later:\n%s", n, text.String())
		}
	})
}

// A stored ask whose line still waits for others when Run ends, or comes later, is given back.
func TestAsksThatWaitAtTheEndAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, end := running(t, &played{})
		waits, written := stored(p, "waits", "")
		end()
		if waits() != 0 || written() {
			t.Errorf("waits at the end: done with after %v, written %v", waits(), written())
		}
		late, written := stored(p, "late", "")
		if late() != 0 || written() {
			t.Errorf("after the end: done with after %v, written %v", late(), written())
		}
	})
}

// Lines that wait behind a line that cannot be published are given back at the end, too.
func TestAsksBehindALineAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, end := running(t, &played{away: true})
		first, _ := stored(p, "first", "")
		time.Sleep(time.Second)
		second, written := stored(p, "second", "")
		end()
		if first() != time.Second || second() != 0 || written() {
			t.Errorf("done with after %v and %v, written %v", first(), second(), written())
		}
		if <-publishRun(p, "late") {
			t.Error("a run is written after the end")
		}
	})
}
