// A command run in the test's own process.

package clitest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
)

// Run runs one command line, which begins with the command's name, as the program would: without a
// terminal. It gives the exit code and what was printed.
func Run(t *testing.T, command *cobra.Command, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	reached := false
	root := &cobra.Command{Use: "protocolq", SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { reached = true }}
	root.AddCommand(command)
	var out, errOut bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetIn(strings.NewReader(""))
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	code = cli.Report(&errOut, err, reached, "")
	return code, out.String(), errOut.String()
}
