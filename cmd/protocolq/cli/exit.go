// How the program ends: one error type that carries the exit code, and the one place where errors
// are reported to a person.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// The exit codes, a contract with scripts.
const (
	ExitOK        = 0   // signed, accepted, stored, verified
	ExitOther     = 1   // anything without its own code
	ExitUsage     = 2   // bad settings or usage
	ExitNotSigned = 3   // not_signed or abnormal; verify: unsigned
	ExitRefused   = 4   // refused; verify: bad
	ExitUnknown   = 5   // unknown: no conclusive answer
	ExitNoAnswer  = 6   // no answer in time, or no worker is running
	ExitSignalled = 130 // a signal ended a command that a person waited for, or a second signal came
)

// Error ends the program with a code. Err may be nil: then the code is enough, because the answer
// itself is on stdout. Hint says what to do about it.
type Error struct {
	Code int
	Err  error
	Hint string
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Exit ends with code and says nothing more, or with nil when the code is 0.
func Exit(code int) error {
	if code == ExitOK {
		return nil
	}
	return &Error{Code: code}
}

// Usage is the error of a wrong command line.
func Usage(format string, args ...any) error {
	return &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// Report writes err for a person to w and returns the exit code. reached says whether a command
// had begun: an error before that is the command line's own.
func Report(w io.Writer, err error, reached bool, hint string) int {
	if err == nil {
		return ExitOK
	}
	if by := bySignal(err); by != nil {
		err = &Error{Code: ExitSignalled, Err: by} // whatever else went wrong
	}
	end, ok := errors.AsType[*Error](err)
	if !ok {
		end = &Error{Code: ExitOther, Err: err}
		if !reached {
			end.Code = ExitUsage
		}
	}
	if unread(err) {
		return end.Code // nobody reads it
	}
	if end.Code == ExitUsage && end.Hint == "" {
		end.Hint = hint
	}
	if end.Err == nil {
		return end.Code
	}
	PrintError(w, end.Err)
	if end.Hint != "" {
		fmt.Fprintf(w, "  hint: %s\n", Printable(end.Hint))
	}
	return end.Code
}

// bySignal is the one sentence of a command that a signal ended, nil if something else did.
func bySignal(err error) error {
	if stopped, ok := errors.AsType[*StoppedError](err); ok {
		return stopped
	}
	if errors.Is(err, ErrStopped) || errors.Is(err, context.Canceled) && Signalled().Err() != nil {
		return ErrStopped
	}
	return nil
}

// unread reports whether the reader of our output has gone. A broken socket is another matter.
func unread(err error) bool {
	write, ok := errors.AsType[*fs.PathError](err)
	return ok && write.Path == os.Stdout.Name() && errors.Is(write, syscall.EPIPE)
}

// PrintError prints an error, a joined one as a list with one fault on each line.
func PrintError(w io.Writer, err error) {
	lines := faults(err)
	if len(lines) == 1 {
		fmt.Fprintf(w, "protocolq: %s\n", Printable(lines[0]))
		return
	}
	fmt.Fprintf(w, "protocolq: %d faults\n", len(lines))
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", Printable(line))
	}
}

// faults are the lines of an error. An indented line belongs to the line before, as in pgx's list
// of the addresses that it tried.
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
