//go:build unix

// protocolq top in a real terminal, that of tmux.

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
)

func TestTopInATerminal(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tmux"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no tmux: install it")
		}
		t.Skip("no tmux")
	}
	s := newStand(t, standOptions{})
	s.workers(1)
	if p := launch(t, nil, "partner", "halt", practicePartner, "--reason", "renewed soon", "--nats", s.nats); p.exit() != cli.ExitOK {
		t.Fatalf("partner halt: %s", p.err)
	}
	socket := filepath.Join(t.TempDir(), "tmux")
	tmux := func(args ...string) string {
		out, _ := exec.Command("tmux", append([]string{"-S", socket, "-f", "/dev/null"}, args...)...).CombinedOutput()
		return string(out)
	}
	t.Cleanup(func() { tmux("kill-server") })
	program, err := exec.LookPath("protocolq")
	if err != nil {
		t.Fatal(err)
	}
	tmux("new-session", "-d", "-x", "80", "-y", "24", "echo before; "+program+" top --nats "+s.nats+" --every 300ms; echo exit $?; sleep 60")
	screen := func(wait string) {
		t.Helper()
		seen := ""
		clitest.Eventually(t, "the screen says "+wait, func() bool { seen = tmux("capture-pane", "-p"); return strings.Contains(seen, wait) })
		if strings.Count(strings.TrimRight(seen, "\n"), "\n") >= 24 {
			t.Errorf("the view is higher than its terminal:\n%s", seen)
		}
	}
	screen("1 worker")
	screen("HALTED")
	screen("renewed soon")
	tmux("resize-window", "-x", "60", "-y", "12")
	screen("more")
	tmux("send-keys", "q")
	screen("exit 0")
	screen("before") // what was on the screen before is back
}
