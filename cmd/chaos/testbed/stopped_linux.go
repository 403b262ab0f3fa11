// Whether a process is stopped, as the kernel tells.

package testbed

import (
	"fmt"
	"os"
	"strings"
)

// StoppedNow reports whether p is stopped by a signal.
func StoppedNow(p *Process) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, state, ok := strings.Cut(string(b), ") ")
	return err == nil && ok && strings.HasPrefix(state, "T")
}
