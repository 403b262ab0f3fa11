//go:build unix

// Servers whose clocks differ: nats-server built with a package time that adds the value of a
// variable.

package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// apart is how far the clocks of two servers are.
const apart = 10 * time.Second

func clockScenarios() []Scenario {
	const fresh = 4 * time.Second
	return []Scenario{{Name: "clocks",
		About: fmt.Sprintf("three NATS servers whose clocks are up to %v apart, made to lead in turn, with max_age_ms",
			apart), least: 16 * time.Second,
		plan: testbed.Plan{Servers: 3, Clocks: []time.Duration{-apart / 2, apart / 2, 0},
			Worker: []string{"--freshness", fresh.String(), "--window", fresh.String()}},
		bounds:  verdict.Bounds{Clocks: apart + time.Second, Window: fresh},
		prepare: shiftClocks, harm: leadInTurn, observe: jumped}}
}

// jumped requires that the log's clock has gone back.
func jumped(_ context.Context, _ *testbed.Bed, t *verdict.Evidence) error {
	back, before := time.Duration(0), int64(0)
	for _, c := range t.Journal {
		for _, b := range c.Batches {
			back = max(back, time.Duration(before-b.Stored)*time.Microsecond)
			before = b.Stored
		}
	}
	t.Figures = append(t.Figures, verdict.Figure{What: "the furthest that the log's clock went back",
		Value: back.Round(time.Millisecond).String()})
	if back < apart/4 {
		t.Surplus = append(t.Surplus, fmt.Sprintf("the log's clock went back by %v at most: nothing is proved", back))
	}
	return nil
}

// shiftClocks builds the server with an adjustable clock. No other way moves the clock of only one
// process: Go reads it without a system call. The sources of package time are not changed, but
// overlaid for this build.
func shiftClocks(ctx context.Context, h *testbed.Bed) error {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("find Go: %w", err)
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	shifted := strings.Replace(string(text), "\tsec, nsec, mono := runtimeNow()\n",
		"\tsec, nsec, mono := runtimeNow()\n\tsec += clockShift\n", 1)
	if shifted == string(text) {
		return errors.New("time.Now is not as it was: see shiftClocks")
	}
	files := map[string]string{"time.go": shifted, "shift.go": shiftSource}
	replace := map[string]string{}
	for name, text := range files {
		path := filepath.Join(h.Dir, "overlay-"+name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
		replace[filepath.Join(filepath.Dir(source), name)] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	list := filepath.Join(h.Dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return err
	}
	server := filepath.Join(h.Dir, "nats-server-shifted")
	if err := testbed.Compile(ctx, h.Programs.Source, server, "-overlay", list,
		"github.com/nats-io/nats-server/v2"); err != nil {
		return err
	}
	h.Programs.Nats = server
	return nil
}

// shiftSource reads by how much the clock is ahead, before any code asks for the time.
const shiftSource = `package time

import "syscall"

var clockShift = func() (shift int64) {
	text, _ := syscall.Getenv("` + testbed.ShiftVariable + `")
	sign := int64(1)
	for _, c := range []byte(text) {
		if c == '-' {
			sign = -1
			continue
		}
		shift = 10*shift + int64(c-'0')
	}
	return sign * shift
}()
`

// leadInTurn lets the journal's leader step down, again and again, so that the log's clock jumps
// back and forth.
func leadInTurn(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	steps := 0
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := testbed.Pause(ctx, time.Duration(1500+h.Rand.IntN(1500))*time.Millisecond); err != nil {
			return err
		}
		if err := h.Observer.Command(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+h.Observer.Names.Stream(messages.Journal),
			""); err == nil {
			h.Inject(verdict.Deposed, string(messages.Journal))
			steps++
		}
	}
	if steps < 3 {
		return fmt.Errorf("only %d leaders have stepped down", steps)
	}
	return nil
}
