// Notifies systemd of a process whose unit has Type=notify, and its watchdog.

package probes

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"protocolq/worker/ops"
)

// notifier writes datagrams to systemd's socket, as sd_notify(3) says.
type notifier struct {
	socket string        // "": there is no systemd to notify
	every  time.Duration // how often a sign of life is sent
	pid    int
}

// Looks at a process: often until it is ready, then as often as the watchdog needs it.
const (
	lookStarting = 100 * time.Millisecond
	lookRunning  = 5 * time.Second
)

// newNotifier reads the variables that systemd gives to a process, and removes them: child
// processes must not notify for it.
func newNotifier() notifier {
	n := notifier{socket: os.Getenv("NOTIFY_SOCKET"), every: lookRunning, pid: os.Getpid()}
	limit, err := strconv.Atoi(os.Getenv("WATCHDOG_USEC"))
	if of := os.Getenv("WATCHDOG_PID"); err == nil && limit > 0 && (of == "" || of == strconv.Itoa(n.pid)) {
		n.every = min(n.every, time.Duration(limit)*time.Microsecond/3)
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		_ = os.Unsetenv(name)
	}
	return n
}

// told is what systemd was told last.
type told struct {
	ready, stopping bool
	status          string
}

// words are the lines of the next datagram. It is a sign of life of a process that can still check
// itself, unless only a restart helps it.
func (t *told) words(h ops.Health) string {
	var lines []string
	if h.Live() {
		lines = append(lines, "WATCHDOG=1")
	}
	if !t.ready && h.Ready() {
		t.ready = true
		lines = append(lines, "READY=1")
	}
	if !t.stopping && h.Draining {
		t.stopping = true
		lines = append(lines, "STOPPING=1")
	}
	if s := status(h); s != t.status {
		t.status = s
		lines = append(lines, "STATUS="+s)
	}
	return strings.Join(lines, "\n")
}

// status is what `systemctl status` shows: the health, and each part that is not healthy.
func status(h ops.Health) string {
	words := []string{h.Status()}
	for _, p := range h.Parts {
		if p.State != ops.OK {
			words = append(words, p.Name+" "+strings.ReplaceAll(p.Detail, "\n", " "))
		}
	}
	return strings.Join(words, "; ")
}

// run notifies systemd until ctx ends.
func (n notifier) run(ctx context.Context, health func() ops.Health, log *slog.Logger) {
	if n.socket == "" {
		return
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unixgram", n.socket)
	if err != nil {
		log.Error("systemd is not told that the process is ready", "err", err, "hint",
			"does the unit allow AF_UNIX in RestrictAddressFamilies?")
		return
	}
	defer conn.Close()
	var t told
	for {
		if words := t.words(health()); words != "" {
			_ = conn.SetWriteDeadline(time.Now().Add(n.every))
			if _, err := conn.Write([]byte(words)); err != nil {
				log.Warn("systemd was not told how the process is", "err", err)
				t = told{} // all of it again
			}
		}
		next := n.every
		if !t.ready {
			next = min(next, lookStarting)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(next):
		}
	}
}
