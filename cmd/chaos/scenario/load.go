//go:build unix

// High load: a thousand asks a second while workers die, and ten thousand that wait for a halted
// partner.

package scenario

import (
	"context"
	"fmt"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// The load, and the waits that are allowed.
const (
	manyAsks   = 1000         // a second, on a machine without other work
	leastAsks  = manyAsks / 4 // less proves nothing
	inFlight   = 2000         // of each asker's; on a busy machine more would only wait for each other
	halted     = 10_000
	firstAfter = 20 * time.Second // from the partner's return to the first reply
	allAfter   = 40 * time.Second // and to the last
)

func loadScenarios(p verdict.Pace) []Scenario {
	f, w := &figures{}, &waiting{}
	return []Scenario{
		recorded(Scenario{Name: "thousand",
			About: fmt.Sprintf("%d asks a second and more, and kill -9 of workers", manyAsks), least: 14 * time.Second,
			plan: testbed.Plan{Rate: 750, Keys: 160, AtOnce: inFlight, Worker: []string{"--log-level", "info"}},
			bounds: verdict.Bounds{Excused: true, Recovery: p.Recovery,
				Resident: 32 << 10}, harm: kills, observe: askedEnough}),
		{Name: "halted", About: fmt.Sprintf("%d submitted asks wait for a halted partner, which is resumed", halted),
			least: 5 * time.Second,
			plan: testbed.Plan{Plain: true, Rate: 4, Keys: 2,
				Simulator: []string{"--latency", "20ms", "--jitter", "20ms"}, Worker: []string{"--log-level", "info"}},
			bounds: verdict.Bounds{Unknown: true, Strangers: true,
				Resident: 48 << 10}, // 31 measured on a busy machine, whose collector is late
			harm:    func(ctx context.Context, h *testbed.Bed, _ time.Duration) error { return w.harm(ctx, h, f) },
			observe: f.tell},
	}
}

// askedEnough requires the load of the scenario's name.
func askedEnough(_ context.Context, _ *testbed.Bed, t *verdict.Evidence) error {
	first, last := int64(0), int64(0)
	for _, a := range t.Asks {
		if first == 0 || a.Sent < first {
			first = a.Sent
		}
		last = max(last, a.Sent)
	}
	rate := float64(len(t.Asks)) / (float64(last-first) / float64(verdict.Second))
	t.Figures = append(t.Figures, verdict.Figure{What: "asks a second", Value: fmt.Sprintf("%.0f", rate),
		Bound: fmt.Sprintf("%d; %d on a busy machine", manyAsks, leastAsks)})
	if rate < leastAsks {
		t.Surplus = append(t.Surplus, fmt.Sprintf("only %.0f asks a second: nothing is proved", rate))
	}
	return nil
}

// waiting are submitted asks for a halted partner.
type waiting struct{ first, last time.Duration }

// harm halts the partner, submits, resumes it, and measures how soon the asks are answered.
func (w *waiting) harm(ctx context.Context, h *testbed.Bed, f *figures) error {
	if err := h.Command(ctx, "partner", "halt", verdict.Partner); err != nil {
		return err
	}
	if err := h.SubmitMany(ctx, halted); err != nil {
		return err
	}
	const journalled = 60 * time.Second
	if err := testbed.Eventually(ctx, journalled, "all that was submitted is in the journal",
		func() bool { n, err := h.Observer.Left(ctx); return err == nil && n == 0 }); err != nil {
		return err
	}
	before, err := h.Observer.Count(ctx, messages.Replies)
	if err != nil {
		return err
	}
	if err := h.Command(ctx, "partner", "resume", verdict.Partner); err != nil {
		return err
	}
	resumed, n := time.Now(), before
	h.Inject("resumed", verdict.Partner)
	err = testbed.Eventually(ctx, 4*allAfter, fmt.Sprintf("%d durable replies", halted), func() bool {
		if n, err = h.Observer.Count(ctx, messages.Replies); err == nil && n > before && w.first == 0 {
			w.first = time.Since(resumed)
		}
		w.last = time.Since(resumed)
		return n >= before+halted*9/10 && h.Observer.Settled(ctx)
	})
	if err != nil {
		return err
	}
	f.add(fmt.Sprintf("%d asks wait for a halted partner: first, last reply after it is resumed", halted),
		fmt.Sprintf("%v, %v", w.first.Round(time.Millisecond), w.last.Round(time.Millisecond)), fmt.Sprintf("%v, %v",
			firstAfter, allAfter))
	if w.first > firstAfter || w.last > allAfter {
		h.Violation("halted: the first reply came %v after the partner was resumed, at most %v, the last after %v, "+
			"at most %v", w.first, firstAfter, w.last, allAfter)
	}
	return nil
}
