// What a person reads when the program fails.
package main

import (
	"errors"
	"strings"
	"testing"
)

func TestTell(t *testing.T) {
	for _, c := range []struct{ err, want string }{
		{"one", "protocolq: one\n"},
		{"open x: failed to connect:\n\t1.1.1.1:1: refused\n\t1.1.1.2:1: refused", "protocolq: open x: failed to connect: 1.1.1.1:1: refused; 1.1.1.2:1: refused\n"},
		{"a\nb:\n  more", "protocolq: 2 faults\n  a\n  b: more\n"},
		{"  indented", "protocolq: indented\n"},
	} {
		var b strings.Builder
		if tell(&b, errors.New(c.err)); b.String() != c.want {
			t.Errorf("%q is told as\n%swant\n%s", c.err, b.String(), c.want)
		}
	}
}
