// When lines are written: together, again, and not without end. On a clock of the test's own, into a log that the test plays.

package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/publish"
	"protocolq/worker/querylog"
)

// playedLog takes lines of asks, while it is not away.
type playedLog struct {
	mu    sync.Mutex // guards what follows
	away  bool
	lines []string // the tokens of each, with commas between them
}

// PublishWithin implements [dedupe.Publisher]. While the log is away no acknowledgement comes.
func (l *playedLog) PublishWithin(ctx context.Context, within time.Duration, m *nats.Msg) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		l.mu.Unlock()
		defer l.mu.Lock()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(within):
			return 0, publish.ErrNoAck
		}
	}
	asks, err := querylog.DecodeAsks(m.Data)
	if err != nil {
		return 0, err
	}
	var tokens []string
	for _, a := range asks {
		tokens = append(tokens, a.Token)
	}
	l.lines = append(l.lines, strings.Join(tokens, ","))
	return uint64(len(l.lines)), nil
}

func (l *playedLog) is(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// taken gives the lines since the last time.
func (l *playedLog) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines
	l.lines = nil
	return lines
}

func bookOf(t *testing.T, l *playedLog) *book {
	t.Helper()
	h, err := querylog.NewHasher([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	w := &Worker{o: Options{LogHasher: h, Names: names}, log: slog.New(slog.DiscardHandler)}
	w.book = newBook(w)
	w.book.to = l
	return w.book
}

// remember hands in an answer from memory.
func (b *book) remember(tokens ...string) {
	for _, token := range tokens {
		b.answered(querylog.Ask{Token: token, At: time.Now().Add(30 * 365 * 24 * time.Hour)}) // a bubble's clock begins in 2000
	}
}

func wantLines(t *testing.T, l *playedLog, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := l.taken(); !slices.Equal(got, want) {
		t.Errorf("written %.200q, want %.200q", got, want)
	}
}

// The log may be away for longer than a batch is tried: what was told meanwhile is written when it is back, whosever room it
// lay in. Only what is too much, or left at the end, is dropped, and counted.
func TestAnswersFromMemoryOutlastALogThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &playedLog{}
		b := bookOf(t, l)
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.keep(ctx); close(ended) }()

		b.remember("a", "b")
		time.Sleep(bookEvery)
		wantLines(t, l, "a,b")

		l.is(true)
		b.remember("c", "d")
		time.Sleep(bookEvery)
		b.remember("e")
		time.Sleep(publishTimeout + 2*bookEvery)
		b.remember("f")
		wantLines(t, l)
		l.is(false)
		time.Sleep(publishTimeout + 2*bookEvery)
		synctest.Wait()
		got := strings.Split(strings.Join(l.taken(), ","), ",")
		slices.Sort(got)
		if !slices.Equal(got, []string{"c", "d", "e", "f"}) || b.lost.Load() != 0 {
			t.Errorf("written %q, lost %d", got, b.lost.Load())
		}

		l.is(true)
		for i := range mostWaited + 5 {
			b.remember(fmt.Sprint(i))
		}
		if b.lost.Load() != 5 {
			t.Errorf("lost %d of 5 that were too many", b.lost.Load())
		}
		end()
		<-ended
		if b.lost.Load() != mostWaited+5 {
			t.Errorf("lost %d at the end", b.lost.Load())
		}
	})
}

// acked is a delivery that notes when it was acknowledged, as nanoseconds; 0 before.
type acked struct{ at atomic.Int64 }

func (*acked) Data() []byte                     { return nil }
func (*acked) Headers() nats.Header             { return nil }
func (m *acked) Ack() error                     { m.at.Store(time.Now().UnixNano()); return nil }
func (*acked) NakWithDelay(time.Duration) error { return nil }
func (*acked) InProgress() error                { return nil }

// after is how long after begun it was acknowledged.
func (m *acked) after(begun time.Time) time.Duration { return time.Unix(0, m.at.Load()).Sub(begun) }

// Lines of asks wait for each other, and their acknowledgements with them; not when the worker closes.
func TestLinesOfAsksWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &playedLog{}
		b := bookOf(t, l)
		w := b.w
		w.taken = newTaken(10, 1<<20, 1)
		w.replier = &replier{w: w, toLog: make(chan struct{}, 1)}
		ctx, end := context.WithCancel(t.Context())
		go w.replier.runLog(ctx)
		tell := func(token string) *acked {
			m := &acked{}
			a := &arrival{msg: m, q: messages.Query{UserEmail: "a@example.com"}, stored: time.Now().Add(30 * 365 * 24 * time.Hour)}
			w.taken.enter(a)
			w.replier.left.Add(1)
			w.replier.log(ctx, []*job{{a: a, msg: m, token: token}})
			return m
		}
		begun := time.Now()
		one := tell("one")
		time.Sleep(lineLinger - time.Millisecond)
		two := tell("two")
		wantLines(t, l)
		if one.at.Load() != 0 {
			t.Error("acknowledged before its line is written")
		}
		time.Sleep(time.Millisecond)
		wantLines(t, l, "one,two")
		if one.after(begun) != lineLinger || two.after(begun) != lineLinger {
			t.Errorf("acknowledged after %s and %s, want %s", one.after(begun), two.after(begun), lineLinger)
		}
		time.Sleep(time.Second)
		w.replier.closing.Store(true)
		begun = time.Now()
		three := tell("three")
		wantLines(t, l, "three")
		if three.after(begun) != 0 {
			t.Errorf("acknowledged after %s by a worker that closes", three.after(begun))
		}
		end()
		synctest.Wait()
	})
}
