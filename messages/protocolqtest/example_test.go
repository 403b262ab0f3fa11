// The beginning of a test of a program that asks.

package protocolqtest_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/messages/protocolqtest"
)

func Example() {
	t := newExampleT() // in a test: the test's own
	defer t.end()

	q := protocolqtest.Start(t)
	for _, part := range []string{"debit-only", "not-signed", "system-error-2"} {
		r, err := ask.Ask(t.Context(), q.Connect(), messages.Query{UserEmail: protocolqtest.Email(part, "zhang")})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(part, "is", r.Outcome, "after", r.Attempts)
	}
	fmt.Println(len(q.Calls()), "calls of the gateway")
	// Output:
	// debit-only is signed after 1
	// not-signed is not_signed after 1
	// system-error-2 is signed after 3
	// 5 calls of the gateway
}

// exampleT replaces a test in an example.
type exampleT struct {
	testing.TB // nil: an example uses no other method of it
	cleanups   []func()
}

func newExampleT() *exampleT { return &exampleT{} }

func (t *exampleT) Helper()                  {}
func (t *exampleT) Context() context.Context { return context.Background() }
func (t *exampleT) Cleanup(f func())         { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (t *exampleT) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func (t *exampleT) TempDir() string {
	dir, err := os.MkdirTemp("", "protocolqtest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (t *exampleT) end() {
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.cleanups[i]()
	}
}
