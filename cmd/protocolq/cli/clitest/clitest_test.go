// The helpers that other tests rely on do what they say.

package clitest_test

import (
	"os"
	"testing"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
)

func TestRun(t *testing.T) {
	command := &cobra.Command{Use: "fails", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return &cli.Error{Code: cli.ExitRefused, Err: os.ErrNotExist}
	}}
	if code, _, told := clitest.Run(t, command, "fails"); code != cli.ExitRefused || told != "protocolq: file does not exist\n" {
		t.Errorf("exit %d, %q", code, told)
	}
	if code, _, _ := clitest.Run(t, command, "fails", "x"); code != cli.ExitUsage {
		t.Errorf("with an argument too many: exit %d", code)
	}
}

func TestPipe(t *testing.T) {
	data, err := os.ReadFile(clitest.Pipe(t, "once"))
	if err != nil || string(data) != "once" {
		t.Errorf("%q, %v", data, err)
	}
}
