//go:build unix && !linux

// Whether a process is stopped, by a ps.

package testbed

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// StoppedNow reports whether p is stopped by a signal.
func StoppedNow(p *Process) bool {
	b, err := exec.CommandContext(context.Background(), "ps", "-o", "state=", "-p",
		fmt.Sprint(p.cmd.Process.Pid)).Output()
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(b)), "T")
}
