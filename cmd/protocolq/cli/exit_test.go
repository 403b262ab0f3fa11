// What a person reads when the program fails.

package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTell(t *testing.T) {
	for _, c := range []struct{ err, want string }{
		{"one", "protocolq: one\n"},
		{"open x: failed to connect:\n\t1.1.1.1:1: refused\n\t1.1.1.2:1: refused", "protocolq: open x: failed to connect: 1.1.1.1:1: refused; 1.1.1.2:1: refused\n"},
		{"a\nb:\n  more", "protocolq: 2 faults\n  a\n  b: more\n"},
		{"  indented", "protocolq: indented\n"},
	} {
		var b strings.Builder
		if PrintError(&b, errors.New(c.err)); b.String() != c.want {
			t.Errorf("%q is told as\n%swant\n%s", c.err, b.String(), c.want)
		}
	}
}

// A reader of the output that goes away is not reported. A connection that breaks is.
func TestBrokenPipes(t *testing.T) {
	socket := brokenSocket(t)
	for _, c := range []struct {
		err   error
		quiet bool
	}{
		{fmt.Errorf("write output: %w", &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.EPIPE}), true},
		{fmt.Errorf("write output: %w", &fs.PathError{Op: "write", Path: os.Stdout.Name(), Err: syscall.ENOSPC}), false},
		{fmt.Errorf("save: %w", &fs.PathError{Op: "write", Path: "/tmp/pipe", Err: syscall.EPIPE}), false},
		{fmt.Errorf("ask: %w", socket), false},
	} {
		var b strings.Builder
		if code := Report(&b, c.err, true, ""); code != ExitOther || (b.String() == "") != c.quiet {
			t.Errorf("%v ends with %d and says %q", c.err, code, b.String())
		}
	}
}

// brokenSocket returns the error of a write to a socket that its other side has closed.
func brokenSocket(t *testing.T) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.(*net.TCPConn).SetLinger(0), other.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if _, err = c.Write([]byte("x")); errors.Is(err, syscall.EPIPE) {
			return err
		}
	}
	t.Fatalf("the socket ends with %v", err)
	return nil
}
