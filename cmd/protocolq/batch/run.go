// A batch from its first line to its last: what is asked, and when to stop.

package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"protocolq/messages"
)

// Options say how to ask.
type Options struct {
	Window    int                // lines on their way at once
	Unordered bool               // answers are printed as they come
	Ask       Asker              // asks one line; its error is printed as that line's
	Look      Asker              // looks for the answer of a line that an earlier run asked; nil: it has none
	Kept      func(Line)         // the answer of a line is kept, or was; may be nil
	State     *State             // nil: nothing is kept
	AskAgain  bool               // lines that are unknown or without an answer in State are asked again
	Drain     time.Duration      // how long to wait for answers under way after ctx's end
	Print     func(Answer) error // only one goroutine calls it; its error ends the batch
	Flush     func() error       // called when there is nothing to print for the moment
}

// Answer is the answer to one line.
type Answer struct {
	Line
	Result  messages.Result // with Err: that nothing is known
	Err     error           // no answer came, and why
	Earlier bool            // by an earlier run, see State
}

// ahead is how many times the window may have been answered and wait for a line before them.
const ahead = 16

// leastSilent is how many lines in a row at least must be without an answer to end the batch.
const leastSilent = 8

// SilentError ends a batch whose lines all stay without an answer.
type SilentError struct {
	Lines int   // in a row
	Err   error // why the last of them has none; nil: the workers take no query
	Code  string
}

func (e *SilentError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%d lines in a row were turned away: %s", e.Lines, e.Code)
	}
	return fmt.Sprintf("%d lines in a row had no answer: %v", e.Lines, e.Err)
}

func (e *SilentError) Unwrap() error { return e.Err }

// run is a batch under way.
type run struct {
	Options
	stop    context.CancelCauseFunc
	window  chan struct{} // holds a word for each line on its way
	held    chan struct{} // and for each that is read and not printed
	asking  sync.WaitGroup
	answers chan placed

	sums   Sums // of the goroutine of collect, until it has ended
	silent int
}

// placed is an answer with its line's place among those read.
type placed struct {
	place int
	Answer
}

// Run asks the lines that next gives, until it gives io.EOF, and sums up what they were answered.
// It ends early with the cause of ctx's end, with the error of next, of the state or of printing,
// or with a *SilentError. A next that is waiting for input then is left behind.
func Run(ctx context.Context, next func() (Line, error), o Options) (Sums, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	context.AfterFunc(ctx, func() { time.AfterFunc(o.Drain, cut) })
	b := &run{Options: o, stop: stop, sums: Sums{Outcomes: map[string]int64{}},
		window: make(chan struct{}, o.Window), held: make(chan struct{}, ahead*o.Window), answers: make(chan placed,
			o.Window)}
	collected := make(chan struct{})
	go func() { defer close(collected); b.collect() }()
	if err := b.feed(ctx, work, following(ctx, next)); err != nil {
		stop(err)
	}
	b.asking.Wait()
	close(b.answers)
	<-collected
	return b.sums, context.Cause(ctx)
}

// read is a line, or the end.
type read struct {
	line Line
	err  error
}

// following reads ahead, so that asking does not wait for a line beyond ctx's end.
func following(ctx context.Context, next func() (Line, error)) <-chan read {
	lines := make(chan read)
	go func() {
		for {
			line, err := next()
			select {
			case lines <- read{line, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// feed begins one line after the other.
func (b *run) feed(ctx, work context.Context, lines <-chan read) error {
	for place := 0; ; place++ {
		if !enter(ctx, b.held) {
			return nil
		}
		var l read
		select {
		case l = <-lines:
		case <-ctx.Done():
			return nil
		}
		switch {
		case errors.Is(l.err, io.EOF):
			return nil
		case l.err != nil:
			return fmt.Errorf("read the lines: %w", l.err)
		}
		a, todo, err := b.settled(l.line)
		switch {
		case err != nil:
			return err
		case todo == nothing:
			b.answers <- placed{place, a}
			continue
		case !enter(ctx, b.window):
			return nil
		}
		b.asking.Go(func() {
			a := b.ask(work, l.line, todo)
			<-b.window
			b.answers <- placed{place, a}
		})
	}
}

// enter takes a place in room, and reports whether ctx is still alive.
func enter(ctx context.Context, room chan struct{}) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case room <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

var errLost = errors.New("it was asked before, and its answer was lost or did not come in time")

// step is what to do for a line.
type step int

const (
	begin   step = iota // it is asked
	look                // it was accepted, and its answer is looked for
	doubt               // the same, but an earlier run ended before it was known whether it was accepted
	nothing             // its answer is known, or that it has none
)

// settled is the answer of a line for which there is nothing to do.
func (b *run) settled(l Line) (Answer, step, error) {
	if l.Fault != nil {
		r := l.Fault.Result()
		r.ID = l.Query.ID
		return Answer{Line: l, Result: r}, nothing, nil
	}
	if b.State == nil {
		return Answer{}, begin, nil
	}
	r, asked, answered, err := b.State.Known(l)
	answered = answered && (b.Look == nil || r.Outcome != messages.Accepted)
	again := b.AskAgain && (!answered || r.Outcome == messages.Unknown)
	switch {
	case err != nil || !asked || again:
		return Answer{}, begin, err
	case !answered && b.Look != nil && r.Outcome == messages.Accepted:
		return Answer{}, look, nil
	case !answered && b.Look != nil:
		return Answer{}, doubt, nil
	case !answered:
		a := unanswered(l, errLost)
		a.Earlier = true
		return a, nothing, nil
	}
	b.kept(l)
	return Answer{Line: l, Result: r, Earlier: true}, nothing, nil
}

func (b *run) kept(l Line) {
	if b.Kept != nil {
		b.Kept(l)
	}
}

// ask asks one line. It is asked only once it is on disk as asked, and an answer counts only once
// it is on disk.
func (b *run) ask(ctx context.Context, l Line, todo step) Answer {
	by := b.Look
	if todo == begin {
		by = b.Ask
	}
	if todo == begin && b.State != nil {
		if err := b.State.Asking(l); err != nil {
			b.stop(err)
			return unanswered(l, err)
		}
	}
	r, err := by(ctx, l.Query)
	if err != nil {
		a := unanswered(l, err)
		a.Earlier = todo == doubt // which is no sign that nobody answers
		return a
	}
	if b.State != nil {
		if err := b.State.Answered(l, r); err != nil {
			b.stop(err)
			return unanswered(l, err)
		}
	}
	b.kept(l)
	return Answer{Line: l, Result: r}
}

func unanswered(l Line, err error) Answer {
	return Answer{Line: l, Err: err, Result: messages.Result{V: messages.Version, ID: l.Query.ID, Key: l.Query.Key,
		Partner: l.Query.Partner, Outcome: messages.Unknown, Message: "no answer: " + err.Error(), Retryable: true}}
}

// collect prints the answers, in order if that is wanted. It reads all of them, even after printing
// has failed, so that no sender is stuck.
func (b *run) collect() {
	waiting, next := map[int]Answer{}, 0
	for a := range b.answers {
		b.count(a.Answer)
		if b.Unordered {
			b.print(a.Answer)
		} else {
			waiting[a.place] = a.Answer
		}
		for ; ; next++ {
			first, ok := waiting[next]
			if !ok {
				break
			}
			delete(waiting, next)
			b.print(first)
		}
		if len(b.answers) == 0 {
			b.end(b.Flush())
		}
	}
}

func (b *run) print(a Answer) {
	b.end(b.Print(a))
	<-b.held
}

func (b *run) end(err error) {
	if err != nil {
		b.stop(err)
	}
}

// count sums up, and ends a batch that no worker answers.
func (b *run) count(a Answer) {
	b.sums.add(a)
	switch {
	case a.Earlier || a.Fault != nil:
		return
	case a.Err == nil && !turnedAway(a.Result):
		b.silent = 0
		return
	}
	if b.silent++; b.silent >= max(b.Window, leastSilent) {
		b.stop(&SilentError{Lines: b.silent, Err: a.Err, Code: a.Result.Code})
	}
}
