// protocolq version: which build this is.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version = ""

func newVersion() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this build",
		Args:  cobra.NoArgs,
	}
	out := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		b := thisBuild()
		if *out == asJSON {
			return printJSON(c.OutOrStdout(), b)
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "protocolq %s (%s, %s)\n", b.Version, b.Commit, b.Go)
		return err
	}
	return c
}

type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// thisBuild prefers the release's own stamp, then what the go command wrote into the binary.
func thisBuild() build {
	b := build{Version: version, Commit: "unknown commit", Go: runtime.Version()}
	made, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range made.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	if b.Version == "" && ok && made.Main.Version != "" {
		b.Version = made.Main.Version
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	return b
}

// serviceVersion is the version as a NATS service tells it, which must be three numbers.
func serviceVersion() string {
	v := strings.TrimPrefix(thisBuild().Version, "v")
	if strings.Count(v, ".") < 2 || v[0] < '0' || v[0] > '9' {
		return "0.0.0"
	}
	return v
}
