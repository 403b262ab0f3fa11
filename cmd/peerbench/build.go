// Build: every program that a cell starts, protocolq from the top of this tree among them.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
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
		{"build", "-C", "../..", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", bin + "protocolq",
			"./cmd/protocolq"},
	} {
		if err := run(ctx, "go", args...); err != nil {
			return fmt.Errorf("%w (peerbench runs in its own folder)", err)
		}
	}
	return os.Setenv("PEERBENCH_BUILT", "1")
}

// run runs a program of the build, without cgo; its error output goes to the bench's own.
func run(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Stderr = os.Stderr
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

// fingerprint distinguishes builds of protocolq: measurements of one say nothing about another.
func fingerprint(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}
