//go:build !failpoint || !unix

// The version in the shipped program: it does nothing.

// Package failpoint marks the steps at which the chaos test (cmd/chaos) kills or stops a worker. In
// the shipped program every call is empty; with the build tag failpoint the variable
// PROTOCOLQ_FAILPOINT says what happens where:
//
//	before-begin:3        the third time a worker is about to write a begin into the log, it dies by SIGKILL
//	after-begin:1:stop    the first time it looks at the fence before a call, it stops as by SIGSTOP, until a SIGCONT
package failpoint

// Armed says that steps are looked for.
const Armed = false

// Hit marks a step.
func Hit(string) {}

// Soon marks a step that is taken a moment later, inside a call that is about to begin.
func Soon(string) {}
