// Examples have no directory of their own; this one is theirs.

package ask_test

import (
	"fmt"
	"os"
	"testing"
)

var exampleDir string

func TestMain(m *testing.M) {
	var err error
	if exampleDir, err = os.MkdirTemp("", "protocolq-ask-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(exampleDir)
	os.Exit(code)
}
