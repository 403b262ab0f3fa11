// The first core: protocolq at the time when it kept one record for each key, built from this
// clone's own history.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// firstCoreCommit is the last commit that holds the first core.
	firstCoreCommit = "18b6bb1"
	// firstCore is its contestant's name, firstCoreBinary its program: another commit has another
	// file.
	firstCore       = "first-core"
	firstCoreBinary = "bin/first-core-" + firstCoreCommit
)

// errNotInClone says that the first core cannot be built here.
var errNotInClone = errors.New("this clone lacks commit " + firstCoreCommit +
	", the last one with the first core (git fetch --unshallow brings it)")

// buildFirstCore builds the program of that commit, unless it exists, without a tag: it has only
// one core.
func buildFirstCore(ctx context.Context) error {
	if _, err := os.Stat(firstCoreBinary); err == nil {
		return nil
	}
	if err := run(ctx, "git", "cat-file", "-e", firstCoreCommit+"^{commit}"); err != nil {
		return fmt.Errorf("%w: %w", errNotInClone, err)
	}
	top, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return fmt.Errorf("find the top of the clone: %w", err)
	}
	tmp, err := os.MkdirTemp("", "peerbench-first-core")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	archive, tree := filepath.Join(tmp, "tree.tar"), filepath.Join(tmp, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		return err
	}
	out, err := filepath.Abs(firstCoreBinary)
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"git", "-C", strings.TrimSpace(string(top)), "archive", "-o", archive, firstCoreCommit},
		{"tar", "-xf", archive, "-C", tree},
		{"go", "build", "-C", tree, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, "./cmd/protocolq"},
	} {
		if err := run(ctx, args[0], args[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// leaveOut removes a contestant from the cells, and cells that have no other contestant.
func leaveOut(cells []cell, name string) (left []cell) {
	for _, c := range cells {
		var others []string
		for _, ct := range c.contestants {
			if plain(ct) != name {
				others = append(others, ct)
			}
		}
		if c.contestants = others; len(others) > 0 {
			left = append(left, c)
		}
	}
	return left
}

// asks reports whether a contestant is among the cells'.
func asks(cells []cell, name string) bool {
	for _, c := range cells {
		for _, ct := range c.contestants {
			if plain(ct) == name {
				return true
			}
		}
	}
	return false
}

// plain is a contestant's name without its suffix, see known.
func plain(name string) string {
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, "#")
	return name
}
