// How the program ends: one error type that carries the exit code, and the one place where errors
// are told to a person.
package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
)

// The exit codes, a contract with scripts.
const (
	exitOK        = 0   // signed, accepted, stored, verified
	exitOther     = 1   // anything that has no code of its own
	exitUsage     = 2   // bad settings or usage
	exitNotSigned = 3   // not_signed or abnormal; verify: unsigned
	exitRefused   = 4   // refused; verify: bad
	exitUnknown   = 5   // unknown: no conclusive answer
	exitNoAnswer  = 6   // no answer in time, or nobody there to give one
	exitSignalled = 130 // a second signal: the user does not want to wait
)

// exitError ends the program with a code. Err may be nil: then the code says it all, because the
// answer itself stands on stdout. Hint says what to do about it.
type exitError struct {
	Code int
	Err  error
	Hint string
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// exitWith ends with code and says nothing more, or with nil when the code is 0.
func exitWith(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{Code: code}
}

// usageError is a command line that cannot be obeyed.
func usageError(format string, args ...any) error {
	return &exitError{Code: exitUsage, Err: fmt.Errorf(format, args...)}
}

// report tells err to a person on w and returns the exit code. reached says whether a command
// had begun: an error before that is the command line's own.
func report(w io.Writer, err error, reached bool, hint string) int {
	if err == nil {
		return exitOK
	}
	if stopped, ok := errors.AsType[*stoppedError](err); ok {
		err, reached = stopped, true // whatever it was wanted for
	}
	end, ok := errors.AsType[*exitError](err)
	if !ok {
		end = &exitError{Code: exitOther, Err: err}
		if !reached {
			end.Code = exitUsage
		}
	}
	if errors.Is(err, syscall.EPIPE) {
		return end.Code // whoever read has gone: there is nobody to tell
	}
	if end.Code == exitUsage && end.Hint == "" {
		end.Hint = hint
	}
	if end.Err == nil {
		return end.Code
	}
	tell(w, end.Err)
	if end.Hint != "" {
		fmt.Fprintf(w, "  hint: %s\n", printable(end.Hint))
	}
	return end.Code
}

// tell prints an error, a joined one as a list with one fault a line.
func tell(w io.Writer, err error) {
	lines := faults(err)
	if len(lines) == 1 {
		fmt.Fprintf(w, "protocolq: %s\n", printable(lines[0]))
		return
	}
	fmt.Fprintf(w, "protocolq: %d faults\n", len(lines))
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", printable(line))
	}
}

// faults are the lines of an error. What is indented tells more of the line before, as pgx does of
// each address that it tried.
func faults(err error) (lines []string) {
	for line := range strings.SplitSeq(strings.TrimSpace(err.Error()), "\n") {
		more := strings.TrimLeft(line, " \t")
		switch last := len(lines) - 1; {
		case more == line || last < 0:
			lines = append(lines, line)
		case strings.HasSuffix(lines[last], ":"):
			lines[last] += " " + more
		default:
			lines[last] += "; " + more
		}
	}
	return lines
}
