// Whether a process is stopped, as the kernel tells.

package main

import (
	"fmt"
	"os"
	"strings"
)

// stoppedNow reports whether p is stopped by a signal.
func stoppedNow(p *process) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, state, ok := strings.Cut(string(b), ") ")
	return err == nil && ok && strings.HasPrefix(state, "T")
}
