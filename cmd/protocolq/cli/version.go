// protocolq version: which build this is. The version is in version.txt, because not every copy of
// the tree has the tags; the commit is what the go command wrote into the program.

package cli

import (
	_ "embed" // version.txt
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed version.txt
var version string

// VersionCommand prints which build this is.
func VersionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this build",
		Args:  cobra.NoArgs,
	}
	out := AddOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		b := ThisBuild()
		if *out == JSON {
			return PrintJSON(c.OutOrStdout(), b)
		}
		_, err := fmt.Fprint(c.OutOrStdout(), b)
		return err
	}
	return c
}

// Build is which build this is.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

func (b Build) String() string {
	return fmt.Sprintf("protocolq %s (%s, %s)\n", b.Version, b.Commit, b.Go)
}

// AddVersion makes --version print what the command version prints. It has no short form, because
// call uses -v.
func AddVersion(root *cobra.Command) {
	root.Flags().Bool("version", false, "print the version of this build")
	root.Version = ThisBuild().Version
	root.SetVersionTemplate(ThisBuild().String())
}

// ThisBuild is the version of the tree, and the commit if the go command knew it.
func ThisBuild() Build {
	b := Build{Version: Version(), Commit: "unknown commit", Go: runtime.Version()}
	made, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	changed := ""
	for _, s := range made.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", changed"
		}
	}
	b.Commit += changed
	return b
}

// Version is the version of the tree: three numbers, as a NATS service has to give them.
func Version() string { return strings.TrimSpace(version) }
