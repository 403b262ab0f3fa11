//go:build unix && !linux

// Whether a process is stopped, by a ps.

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// stoppedNow reports whether p is stopped by a signal.
func stoppedNow(p *process) bool {
	b, err := exec.CommandContext(context.Background(), "ps", "-o", "state=", "-p", fmt.Sprint(p.cmd.Process.Pid)).Output()
	return err == nil && strings.HasPrefix(strings.TrimSpace(string(b)), "T")
}
