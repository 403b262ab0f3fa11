// What a member logs of who joins and who leaves: a line each, and none about who was there before.

package member_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/member"
)

// said keeps what is logged.
type said struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSpace(s.text.String()), "\n")
}

// logs has a worker's words kept without their time.
func (s *said) logs(o *member.Options) {
	o.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestSaidOfMembers(t *testing.T) {
	bubble(t, func(w *world) {
		var a, d said
		x, y := w.start("a", a.logs), w.start("b")
		y.leave()
		z := w.start("c")
		z.kill()
		wait(time.Minute)
		last := w.start("d", d.logs)
		wait(time.Second)
		want := []string{
			`level=INFO msg="in the fleet" member=a-2 members=1 position=1 remembered=0`,
			`level=INFO msg="member joined" joined=b-2 members=2`,
			`level=INFO msg="member left" left=b-2 members=1`,
			`level=INFO msg="member joined" joined=c-2 members=2`,
			`level=WARN msg="silent member sealed: its keys are others' now" of=c-2`,
			`level=INFO msg="member joined" joined=d-2 members=2`,
		}
		if got := a.lines(); !slices.Equal(got, want) {
			t.Errorf("the first said:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		// A newcomer learns of earlier members from the log, and does not log them.
		if got := d.lines(); len(got) != 1 || !strings.HasPrefix(got[0], `level=INFO msg="in the fleet" member=d-2 members=2 `) {
			t.Errorf("the last said:\n%s", strings.Join(got, "\n"))
		}
		x.leave()
		last.leave()
	})
}

// While the log cannot be read, duties wait for their texts and are tried again and again: that is
// logged now and then, however many there are.
func TestSaidOfUnreadDuties(t *testing.T) {
	bubble(t, func(w *world) {
		var said said
		var l readLog
		w.took = 2 * time.Second
		a := w.start("a", unheld(&l), said.logs)
		for i := range 50 {
			a.ask(fmt.Sprint("t", i), byte(i))
			wait(20 * time.Millisecond) // each in a batch of its own
		}
		l.away.Store(true)
		wait(10 * time.Minute)
		told, times := 0, 0
		for _, line := range said.lines() {
			if _, after, ok := strings.Cut(line, `msg="texts of duties not read, tried again" times=`); ok {
				n, _, _ := strings.Cut(after, " ")
				count, err := strconv.Atoi(n)
				if err != nil {
					t.Error(err)
				}
				told, times = told+1, times+count
			}
		}
		if told == 0 || told > 21 || times < 1000 {
			t.Errorf("logged %d times in 10 minutes, for %d failed reads", told, times)
		}
		l.away.Store(false)
		wait(10 * time.Second)
		for i := range 50 {
			w.wantReply(fmt.Sprint("t", i), "yes")
		}
		a.leave()
	})
}

// lastless is a log whose last messages cannot be read.
type lastless struct{ log }

func (lastless) Last(context.Context, journal.Member) (journal.Message, error) {
	return journal.Message{}, errors.New("no right")
}

// A member that cannot read what it has to before it reads the log says so, now and then.
func TestSaidOfALogNotRead(t *testing.T) {
	bubble(t, func(w *world) {
		var said said
		a := w.begin("a", said.logs, func(o *member.Options) { o.Log = lastless{o.Log.(log)} })
		wait(10 * time.Minute)
		n := 0
		for _, line := range said.lines() {
			if strings.HasPrefix(line, "level=WARN") && strings.Contains(line, `err="no right"`) {
				n++
			}
		}
		if n == 0 || n > 21 {
			t.Errorf("said %d times in ten minutes: %q", n, said.lines())
		}
		a.leave()
	})
}

// stateless is a log whose state cannot be read any more.
type stateless struct {
	log
	away *atomic.Bool
}

func (l stateless) State(ctx context.Context) (journal.State, error) {
	if l.away.Load() {
		return journal.State{}, errors.New("no right")
	}
	return l.log.State(ctx)
}

// While it is not known how full the log is, it may fill up: that is said if it lasts.
func TestSaidOfAnUnknownFill(t *testing.T) {
	bubble(t, func(w *world) {
		var said said
		var away atomic.Bool
		a := w.start("a", said.logs, func(o *member.Options) { o.Log = stateless{o.Log.(log), &away} })
		count := func() int { return strings.Count(strings.Join(said.lines(), "\n"), `err="no right"`) }
		away.Store(true)
		wait(8 * time.Second) // as long as an election takes
		away.Store(false)
		wait(time.Minute)
		if n := count(); n != 0 {
			t.Errorf("said %d times of an election: %q", n, said.lines())
		}
		away.Store(true)
		wait(10 * time.Minute)
		if n := count(); n == 0 || n > 21 {
			t.Errorf("said %d times in ten minutes: %q", n, said.lines())
		}
		a.leave()
	})
}
