// Pipes that can be read once, as a shell's <(…) is.

//go:build unix

package clitest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// NamedPipe is the path of a new pipe, without a writer.
func NamedPipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Pipe is a named pipe out of which text can be read once.
func Pipe(t *testing.T, text string) string {
	t.Helper()
	path := NamedPipe(t)
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(path, []byte(text), 0) }()
	t.Cleanup(func() {
		if err := <-written; err != nil {
			t.Error(err)
		}
	})
	return path
}
