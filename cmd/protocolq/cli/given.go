// Arguments in the wrong place, and flags with an empty value.

package cli

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// CheckGiven refuses flags that are given and empty, for example by a script whose variable is
// empty: if they counted as not given, a filter would select everything. Flags that fs lacks are
// skipped.
func CheckGiven(fs *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		f := fs.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		empty := f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			empty = len(list.GetSlice()) == 0
		}
		if empty {
			return Usage("--%s is empty: give it a value, or leave it out", name)
		}
	}
	return nil
}

// NoArgs is for commands that take an account by a flag: if the flag is missing, the error says
// what to type.
func NoArgs(c *cobra.Command, args []string) error {
	if len(args) == 1 && c.Flags().Lookup("email") != nil {
		for _, kind := range []struct {
			flag string
			is   bool
		}{{"email", strings.Contains(args[0], "@")}, {"account", accountNo.MatchString(args[0])}} {
			if kind.is {
				return &Error{Code: ExitUsage, Err: fmt.Errorf("%s needs a flag", args[0]),
					Hint: fmt.Sprintf("%s --%s %s", c.CommandPath(), kind.flag, args[0])}
			}
		}
	}
	return cobra.NoArgs(c, args)
}

var accountNo = regexp.MustCompile(`^[0-9]{16,20}$`)
