// What systemd is sent, in which order, and how often.

package probes

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/worker"
	"protocolq/worker/ops"
)

func TestWords(t *testing.T) {
	well := worker.Condition{Connected: true, Opened: true, Member: true}
	degraded, draining := well, well
	degraded.Degraded = map[string]string{"gateway": "no call\nwas answered"}
	draining.Draining = true
	stuck := well
	stuck.Stuck = 31 * time.Second
	var to told
	for i, c := range []struct {
		of   worker.Condition
		want string
	}{
		{worker.Condition{Connected: true}, "WATCHDOG=1\nSTATUS=starting; fleet not in the fleet yet: the journal is being read, or is not there"},
		{well, "WATCHDOG=1\nREADY=1\nSTATUS=ready"},
		{well, "WATCHDOG=1"},
		{degraded, "WATCHDOG=1\nSTATUS=degraded; gateway no call was answered"},
		{worker.Condition{Opened: true, Member: true}, "WATCHDOG=1\nSTATUS=unready; nats not connected"},
		{well, "WATCHDOG=1\nSTATUS=ready"},                            // READY is sent once only
		{stuck, "STATUS=unready; decisions none for 31s: restart it"}, // no sign of life
		{stuck, ""},
		{well, "WATCHDOG=1\nSTATUS=ready"},
		{draining, "WATCHDOG=1\nSTOPPING=1\nSTATUS=draining"},
		{draining, "WATCHDOG=1"},
	} {
		if diff := cmp.Diff(c.want, to.words(ops.OfWorker(c.of))); diff != "" {
			t.Errorf("%d: %s", i, diff)
		}
	}
}

func TestNewNotifier(t *testing.T) {
	for _, c := range []struct {
		pid, limit string
		want       time.Duration
	}{
		{"", "3000000", time.Second},
		{"", "30000000", lookRunning},
		{"", "", lookRunning},
		{"", "x", lookRunning},
		{"", "-3000000", lookRunning},
		{"1", "3000000", lookRunning}, // another process is watched
	} {
		t.Setenv("NOTIFY_SOCKET", "/run/x")
		t.Setenv("WATCHDOG_USEC", c.limit)
		t.Setenv("WATCHDOG_PID", c.pid)
		if n := newNotifier(); n.every != c.want || n.socket != "/run/x" {
			t.Errorf("%+v: %+v", c, n)
		}
		if n := newNotifier(); n.socket != "" {
			t.Errorf("a child would be heard: %+v", n)
		}
	}
}

// The process is ready, runs, hangs, and runs again.
func TestNotifierRun(t *testing.T) {
	dir := t.TempDir()
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	var heard clitest.Buffer
	go func() {
		for b := make([]byte, 4096); ; {
			n, err := socket.Read(b)
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(&heard, "%s\n", b[:n])
		}
	}()
	signs := func() int { return strings.Count(heard.String(), "WATCHDOG=1") }
	var hangs atomic.Pointer[chan struct{}]
	health := func() ops.Health {
		if c := hangs.Load(); c != nil {
			<-*c
		}
		return ops.OfWorker(worker.Condition{Connected: true, Opened: true, Member: true})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		notifier{socket: socket.LocalAddr().String(), every: 10 * time.Millisecond}.run(ctx, health, slog.New(slog.DiscardHandler))
	}()
	clitest.Eventually(t, "signs of life", func() bool { return signs() > 3 })
	if lines := strings.Split(heard.String(), "\n"); slices.Index(lines, "READY=1") != 1 {
		t.Errorf("it begins with %q", lines)
	}
	stuck := make(chan struct{})
	hangs.Store(&stuck)
	clitest.Eventually(t, "silence of a process that hangs", func() bool {
		before := signs()
		<-time.After(100 * time.Millisecond)
		return signs() == before
	})
	hangs.Store(nil)
	before := signs()
	close(stuck)
	clitest.Eventually(t, "signs of life again", func() bool { return signs() > before })
	cancel()
	<-ended
}
