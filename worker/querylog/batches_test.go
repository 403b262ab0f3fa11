// When lines of asks and runs are published: together, again, and with an end.

package querylog_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
	"protocolq/worker/querylog"
)

// stored publishes the line of a stored ask. after returns how long it took until its Done was
// called, -1 before that.
func stored(p *querylog.Publisher, token, run string) (after func() time.Duration, written func() bool) {
	begun := time.Now()
	var mu sync.Mutex
	took, was, calls := time.Duration(-1), false, 0
	p.PublishAsk(querylog.Answered{Query: &messages.Query{UserEmail: "a@example.com"}, Ask: querylog.Ask{Token: token, Run: run, At: now()}, Done: func(written bool) {
		mu.Lock()
		defer mu.Unlock()
		took, was, calls = time.Since(begun), written, calls+1
	}})
	return func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			if calls > 1 {
				return -2
			}
			return took
		}, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return was
		}
}

// Lines of stored asks wait for each other, and their acknowledgements with them, but not when the
// worker ends.
func TestLinesOfAsksWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const linger = 20 * time.Millisecond
		l := &played{}
		p, _ := running(t, l)
		one, _ := stored(p, "one", "")
		time.Sleep(linger - time.Millisecond)
		two, written := stored(p, "two", "")
		l.want(t)
		if one() != -1 {
			t.Error("done with before its line is written")
		}
		time.Sleep(time.Millisecond)
		l.want(t, "one,two")
		if one() != linger || two() != time.Millisecond || !written() {
			t.Errorf("done with after %s and %s", one(), two())
		}
		time.Sleep(time.Second)
		waits, _ := stored(p, "waits", "")
		time.Sleep(time.Millisecond)
		p.Drain()
		l.want(t, "waits")
		three, written := stored(p, "three", "")
		l.want(t, "three")
		if waits() != time.Millisecond || three() != 0 || !written() {
			t.Errorf("done with after %s and %s by a worker that ends", waits(), three())
		}
	})
}

// Lines of one run stand side by side, in the order in which they came. More than a message holds
// become several messages.
func TestLinesOfManyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &played{}
		p, _ := running(t, l)
		stored(p, "a", "2")
		stored(p, "b", "1")
		stored(p, "c", "2")
		stored(p, "d", "1")
		time.Sleep(time.Second)
		l.want(t, "b,d,a,c")
		var done []func() time.Duration
		for i := range querylog.MaxAsks + 1 {
			after, _ := stored(p, fmt.Sprint(i), "")
			done = append(done, after)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := l.taken(); len(got) != 2 || strings.Count(got[0], ",") != querylog.MaxAsks-1 || got[1] != fmt.Sprint(querylog.MaxAsks) {
			t.Errorf("written in %d lines", len(got))
		}
		for i, after := range done {
			if after() < 0 {
				t.Fatalf("ask %d: done with after %v", i, after())
			}
		}
	})
}

// If the line of a stored ask is not written when the worker ends, its Done says so.
func TestAskWithoutItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &played{away: true}
		p, end := running(t, l)
		after, written := stored(p, "a", "")
		time.Sleep(time.Minute)
		if after() != -1 {
			t.Errorf("done with after %v", after())
		}
		end()
		if after() != time.Minute || written() {
			t.Errorf("at the end: done with after %v, written %v", after(), written())
		}
	})
}

// publishRun publishes a run's line; done receives whether it was written.
func publishRun(p *querylog.Publisher, id string) (done chan bool) {
	return publishLine(p, querylog.Run{ID: id, At: now(), Outcome: "signed"})
}

func publishLine(p *querylog.Publisher, r querylog.Run) (done chan bool) {
	done = make(chan bool, 2) // room for one too many
	q := &messages.Query{Partner: "2088000000000001", UserEmail: "a@example.com", Key: "k"}
	p.PublishRun(querylog.Ran{Query: q, Run: r, Done: func(written bool) { done <- written }})
	return done
}

// wantDone waits for the Done of runs, as they are written, or wants none yet.
func wantDone(t *testing.T, want bool, runs ...chan bool) {
	t.Helper()
	synctest.Wait()
	for i, done := range runs {
		n := len(done)
		switch {
		case !want && n > 0:
			t.Errorf("run %d: done with before its line is written", i+1)
		case want && n != 1:
			t.Errorf("run %d: done with %d times though its line is written", i+1, n)
		case want && !<-done:
			t.Errorf("run %d: done with as not written", i+1)
		}
	}
}

// A run's line is sent at once; lines that come while it is on its way go into the next message.
func TestLinesOfRunsGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &played{slow: 10 * time.Millisecond}
		p, _ := running(t, l)
		one := publishRun(p, "one")
		time.Sleep(time.Millisecond)
		two := publishRun(p, "two")
		synctest.Wait()
		three := publishRun(p, "three")
		time.Sleep(8 * time.Millisecond)
		wantDone(t, false, one, two, three)
		time.Sleep(time.Millisecond)
		wantDone(t, true, one)
		wantDone(t, false, two, three)
		time.Sleep(10 * time.Millisecond)
		wantDone(t, true, two, three)
		l.want(t, "one", "two,three")
	})
}

// If a run's line is not written when the worker ends, its Done says so. A line that cannot be made
// is logged, and its Done is called.
func TestRunWithoutItsLine(t *testing.T) {
	for range 8 { // at the end either may come first: the return of waiting lines, or their publishing
		synctest.Test(t, runWithoutItsLine)
	}
}

func runWithoutItsLine(t *testing.T) {
	var text bytes.Buffer
	l := &played{away: true}
	p, end := running(t, l, func(o *querylog.PublisherOptions) { o.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
	wantDone(t, true, publishRun(p, ""))
	if !strings.Contains(text.String(), `msg="line not logged"`) {
		t.Errorf("logged %q", text.String())
	}
	one := publishRun(p, "one")
	time.Sleep(time.Minute)
	two := publishRun(p, "two")
	wantDone(t, false, one, two)
	end()
	for _, run := range []chan bool{one, two, publishRun(p, "late")} {
		if written := <-run; written || len(run) > 0 {
			t.Errorf("written: %v, and done with %d times more", written, len(run))
		}
	}
}

// A line whose acknowledgement is lost is sent again, as the same message, and the stream does not
// count as full. If a line is refused for want of room, or its acknowledgement is lost twice, the
// stream counts as full until it takes a line again.
func TestFullLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		l := &played{losing: 1}
		p, _ := running(t, l, func(o *querylog.PublisherOptions) { o.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
		one := publishRun(p, "one")
		wantDone(t, false, one)
		if p.Full() {
			t.Error("full after one lost acknowledgement")
		}
		time.Sleep(50 * time.Millisecond)
		wantDone(t, true, one)
		l.want(t, "one", "one")
		if l.ids[0] != "one" || l.ids[1] != "one" {
			t.Errorf("identities %q", l.ids)
		}

		l.set(func() { l.losing = 2 })
		two := publishRun(p, "two")
		time.Sleep(50 * time.Millisecond)
		wantDone(t, false, two)
		if !p.Full() {
			t.Error("not full after two lost acknowledgements")
		}
		time.Sleep(100 * time.Millisecond)
		wantDone(t, true, two)
		if p.Full() {
			t.Error("full though it has taken a line")
		}

		l.set(func() { l.full = true })
		three := publishRun(p, "three")
		wantDone(t, false, three)
		if !p.Full() {
			t.Error("not full though it refuses for want of room")
		}
		time.Sleep(time.Minute)
		l.set(func() { l.full = false })
		time.Sleep(2 * time.Second) // the longest wait between two tries
		wantDone(t, true, three)
		if p.Full() {
			t.Error("full though it has taken a line")
		}
		if n := strings.Count(text.String(), `level=ERROR msg="query log not written, its lines wait"`); n != 1 {
			t.Errorf("%d times said to be full, want 1:\n%s", n, text.String())
		}
		if n := strings.Count(text.String(), `level=INFO msg="query log is written again"`); n != 1 {
			t.Errorf("%d times said to be written again, want 1:\n%s", n, text.String())
		}
	})
}
