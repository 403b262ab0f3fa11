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

// names are those of the default prefix.
func names(t testing.TB) messages.Names {
	t.Helper()
	return must(messages.NewNames(messages.DefaultPrefix))(t)
}
