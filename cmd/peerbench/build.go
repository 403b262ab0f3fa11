// Build: every program that a cell starts, protocolq from the top of this tree among them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// build fills bin/. PEERBENCH_BUILT says that it is up to date.
func build(ctx context.Context) error {
	if os.Getenv("PEERBENCH_BUILT") != "" {
		return nil
	}
	bin, err := os.Getwd()
	if err != nil {
		return err
	}
	bin += "/bin/"
	for _, args := range [][]string{
		{"build", "-o", bin, "./programs/..."},
		{"build", "-o", bin + "nats-server", "github.com/nats-io/nats-server/v2"},
		{"build", "-C", "../..", "-trimpath", "-ldflags", "-s -w", "-o", bin + "protocolq", "./cmd/protocolq"},
	} {
		c := exec.CommandContext(ctx, "go", args...)
		c.Stderr = os.Stderr
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if err := c.Run(); err != nil {
			return fmt.Errorf("go %s: %w (peerbench runs in its own folder)", strings.Join(args, " "), err)
		}
	}
	return os.Setenv("PEERBENCH_BUILT", "1")
}
