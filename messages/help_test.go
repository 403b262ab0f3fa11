// What several tests use.

package messages_test

import (
	"testing"

	"protocolq/messages"
)

// must ends the test on an error: must(f())(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// must2 is must for a func that also returns the encoding that it read.
func must2[T any](v T, _ messages.Encoding, err error) func(testing.TB) T { return must(v, err) }

// names are those of the default prefix.
func names(t testing.TB) messages.Names {
	t.Helper()
	return must(messages.NewNames(messages.DefaultPrefix))(t)
}
