// Answers that say when to ask again.

package batch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
)

func later(code string, ms int64) messages.Result {
	return messages.Result{Outcome: messages.Unknown, Code: code, Retryable: true, RetryAfterMs: ms}
}

func TestAgain(t *testing.T) {
	for _, tt := range []struct {
		r    messages.Result
		left time.Duration
		wait time.Duration
		ok   bool
	}{
		{messages.Result{Outcome: messages.Signed}, time.Hour, 0, false},
		{messages.Result{Outcome: messages.Refused, RetryAfterMs: 5, Retryable: true}, time.Hour, 0, false},
		{messages.Result{Outcome: messages.Unknown, RetryAfterMs: 5}, time.Hour, 0, false},
		{later(messages.CoolingDown, 0), time.Hour, 0, false},
		{later(messages.CoolingDown, 2000), 3 * time.Second, 2 * time.Second, true},
		{later(messages.CoolingDown, 2000), 2 * time.Second, 2 * time.Second, false},
		{later(messages.Overloaded, 3_600_000), 2 * time.Minute, time.Minute, true},
	} {
		if wait, ok := again(tt.r, tt.left); wait != tt.wait || ok != tt.ok {
			t.Errorf("%+v with %v left: %v, %v", tt.r, tt.left, wait, ok)
		}
	}
}

func TestPatient(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []messages.Result // the last one repeats
		err     error
		asked   int
		took    time.Duration
	}{
		{"at once", []messages.Result{{Outcome: messages.Signed}}, nil, 1, 0},
		{"later", []messages.Result{later(messages.CoolingDown, 4000), later(messages.Overloaded, 3000), {Outcome: messages.Signed}}, nil, 3, 7 * time.Second},
		{"never", []messages.Result{later(messages.CoolingDown, 4000)}, nil, 3, 8 * time.Second}, // of ten
		{"no answer", []messages.Result{{}}, errors.New("away"), 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, begun := 0, time.Now()
				ask := Patient(func(context.Context, messages.Query) (messages.Result, error) {
					asked++
					return tt.answers[min(asked, len(tt.answers))-1], tt.err
				}, 10*time.Second)
				r, err := ask(t.Context(), messages.Query{})
				if want := tt.answers[len(tt.answers)-1]; r.Outcome != want.Outcome || !errors.Is(err, tt.err) || asked != tt.asked || time.Since(begun) != tt.took {
					t.Errorf("%+v, %v: asked %d times in %v", r, err, asked, time.Since(begun))
				}
			})
		})
	}
}

// While the workers accept nothing, no other line is begun. A wait that concerns only one line
// holds up no other.
func TestRest(t *testing.T) {
	for code, rest := range map[string]time.Duration{messages.Paused: 5 * time.Second, messages.Overloaded: 5 * time.Second, messages.CoolingDown: 0} {
		synctest.Test(t, func(t *testing.T) {
			open := false
			ask := Patient(func(context.Context, messages.Query) (messages.Result, error) {
				if open {
					return messages.Result{Outcome: messages.Signed}, nil
				}
				open = true
				return later(code, 5000), nil
			}, time.Minute)
			go func() { _, _ = ask(t.Context(), messages.Query{}) }()
			synctest.Wait()
			begun := time.Now()
			if r, err := ask(t.Context(), messages.Query{}); err != nil || r.Outcome != messages.Signed || time.Since(begun) != rest {
				t.Errorf("%s: %+v, %v after %v", code, r, err, time.Since(begun))
			}
			time.Sleep(10 * time.Second) // the first has its answer, too
		})
	}
}
