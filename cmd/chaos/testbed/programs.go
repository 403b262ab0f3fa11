//go:build unix

// The programs under test, built from this module.

package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs are the paths of the programs.
type Programs struct {
	protocolq string // the program as released
	armed     string // the same with failpoints
	Nats      string // nats-server
	self      string // this program, which is also the asker
	Source    string // top of the module
}

// Build builds what is missing; given is a protocolq to use unchanged. source is the module's top.
func Build(ctx context.Context, source, into, given string) (Programs, error) {
	p := Programs{protocolq: given, Source: source, armed: filepath.Join(into, "protocolq-armed"),
		Nats: filepath.Join(into, "nats-server")}
	var err error
	if p.self, err = os.Executable(); err != nil {
		return p, fmt.Errorf("find own program: %w", err)
	}
	if given == "" {
		p.protocolq = filepath.Join(into, "protocolq")
		if err := Compile(ctx, source, p.protocolq, "./cmd/protocolq"); err != nil {
			return p, err
		}
	}
	if p.protocolq, err = filepath.Abs(p.protocolq); err != nil {
		return p, fmt.Errorf("find %s: %w", given, err)
	}
	if err := Compile(ctx, source, p.armed, "-tags", "failpoint", "./cmd/protocolq"); err != nil {
		return p, err
	}
	return p, Compile(ctx, source, p.Nats, "github.com/nats-io/nats-server/v2")
}

// Compile builds one program of the module at source.
func Compile(ctx context.Context, source, out string, args ...string) error {
	c := exec.CommandContext(ctx, "go", append([]string{"build", "-buildvcs=false", "-o", out}, args...)...)
	c.Dir, c.Stdout, c.Stderr = source, os.Stderr, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("build %s: %w", args[len(args)-1], err)
	}
	return nil
}
