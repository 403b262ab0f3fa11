//go:build failpoint && unix

// With the build tag: the n-th hit of the named step kills or stops the process.

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// soon is how long after Soon the step is taken: longer than a request needs to leave, shorter than
// the practice gateway's latency in the chaos test.
const soon = 50 * time.Millisecond

type point struct {
	name   string
	signal syscall.Signal
	left   atomic.Int64
}

var armed = parse(os.Getenv("PROTOCOLQ_FAILPOINT"))

// parse reads name:n or name:n:stop. A wrong setting ends the program, because a test that kills no
// process proves nothing.
func parse(text string) *point {
	p := &point{signal: syscall.SIGKILL}
	if text == "" {
		return p
	}
	parts := strings.Split(text, ":")
	n, err := int64(0), error(nil)
	if len(parts) > 1 {
		n, err = strconv.ParseInt(parts[1], 10, 32)
	}
	if err != nil || n < 1 || len(parts) > 3 || len(parts) == 3 && parts[2] != "stop" {
		fmt.Fprintf(os.Stderr, "PROTOCOLQ_FAILPOINT=%q is not name:n or name:n:stop\n", text)
		os.Exit(2)
	}
	if len(parts) == 3 {
		p.signal = syscall.SIGSTOP
	}
	p.name = parts[0]
	p.left.Store(n)
	return p
}

// Armed says that steps are looked for.
const Armed = true

// Hit marks a step.
func Hit(name string) {
	if name != armed.name || armed.left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), armed.signal)
	if armed.signal == syscall.SIGKILL {
		select {} // the signal may come to another thread a moment later
	}
}

// Soon marks a step that is taken a moment later, inside a call that is about to begin.
func Soon(name string) {
	if name == armed.name {
		time.AfterFunc(soon, func() { Hit(name) })
	}
}
