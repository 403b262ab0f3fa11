package cli

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A process that hangs when it was told to end is ended, and says so.
func TestAHangingProcessIsEnded(t *testing.T) {
	if os.Getenv("PROTOCOLQ_TEST_HANGS") != "" {
		ctx, cancel := context.WithCancel(t.Context())
		EndWithin(ctx, 10*time.Millisecond, NewLogger(os.Stderr, slog.LevelInfo, "json"))
		cancel()
		<-time.After(5 * time.Minute)
		return
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestAHangingProcessIsEnded$")
	c.Env = append(os.Environ(), "PROTOCOLQ_TEST_HANGS=1")
	out, err := c.CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != ExitOther {
		t.Errorf("ended with %v", err)
	}
	if want := `"level":"ERROR","msg":"it hangs, and is ended: others go on with what is left","after":"10ms"`; !strings.Contains(string(out), want) {
		t.Errorf("says %s, want %s", out, want)
	}
}

// One that ends in time is left alone.
func TestAProcessThatEndsIsNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		over := EndWithin(ctx, time.Second, slog.New(slog.DiscardHandler))
		<-time.After(time.Minute)
		cancel()
		<-time.After(999 * time.Millisecond)
		over()
		over()
		<-time.After(time.Minute)
	})
}
