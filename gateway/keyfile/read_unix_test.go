// Sources of every kind, each read once, and none that blocks a signal.

//go:build unix

package keyfile_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"protocolq/gateway/keyfile"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRegularFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	write(t, path, "secret\n")
	material, source, err := keyfile.Read(t.Context(), path)
	if err != nil || string(material) != "secret\n" || !source.Regular || source.Path != path {
		t.Errorf("%q, %v, %v", material, source, err)
	}
	if again, err := keyfile.Reread(path); err != nil || string(again) != "secret\n" {
		t.Errorf("%q, %v", again, err)
	}
	write(t, path, strings.Repeat("x", keyfile.MaxSize))
	if _, _, err := keyfile.Read(t.Context(), path); err != nil {
		t.Error(err)
	}
	write(t, path, strings.Repeat("x", keyfile.MaxSize+1))
	if _, _, err := keyfile.Read(t.Context(), path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Error(err)
	}
	if _, _, err := keyfile.Read(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "open ") {
		t.Error(err)
	}
	if _, _, err := keyfile.Read(t.Context(), dir); !errors.Is(err, syscall.EISDIR) {
		t.Error(err)
	}
}

// A secret that Kubernetes mounts is a link to a link, in a sticky folder that all users may write
// to.
func TestMountedSecret(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "..2026")
	if err := errors.Join(os.Mkdir(real, 0o755), os.Chmod(dir, 0o777|os.ModeSticky), os.Symlink("..2026", filepath.Join(dir, "..data")),
		os.Symlink(filepath.Join("..data", "key"), filepath.Join(dir, "key"))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(real, "key"), "secret")
	path := filepath.Join(dir, "key")
	for mode, want := range map[os.FileMode]int{0o440: 0, 0o644: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, source, err := keyfile.Read(t.Context(), path)
		if got := source.Exposed(false); err != nil || len(got) != want || !source.Regular {
			t.Errorf("%o: %q, %v", mode, got, err)
		}
	}
	if err := os.Chmod(real, 0o777); err != nil {
		t.Fatal(err)
	}
	_, source, _ := keyfile.Read(t.Context(), path)
	if got := source.Exposed(true); len(got) != 1 || !strings.HasPrefix(got[0], real+", the folder of") {
		t.Errorf("the folder that the link leads to: %q", got)
	}
}

// TestPipes reads parts that are written late, from a named pipe and from one of a shell.
func TestPipes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	named := fifo(t)
	for path, open := range map[string]func() (*os.File, error){
		named:                             func() (*os.File, error) { return os.OpenFile(named, os.O_WRONLY, 0) },
		fmt.Sprintf("/dev/fd/%d", r.Fd()): func() (*os.File, error) { return w, nil },
	} {
		written := make(chan error, 1)
		go func() {
			f, err := open()
			if err == nil {
				_, first := f.WriteString("sec")
				_, second := f.WriteString("ret\n")
				err = errors.Join(first, second, f.Close())
			}
			written <- err
		}()
		material, source, err := keyfile.Read(t.Context(), path)
		if err != nil || string(material) != "secret\n" || source.Regular || source.Exposed(false) != nil {
			t.Errorf("%s: %q, %v, %v", path, material, source, err)
		}
		if err := <-written; err != nil {
			t.Error(err)
		}
	}
	if _, err := keyfile.Reread(named); !errors.Is(err, keyfile.ErrNotRegular) {
		t.Errorf("a pipe was read again: %v", err)
	}
}

// TestPipeNobodyWrites: the wait ends with the context, and so does the goroutine, before there is
// a writer and after.
func TestPipeNobodyWrites(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	silent, half := fifo(t), fifo(t)
	writer := make(chan *os.File, 1)
	go func() {
		f, err := os.OpenFile(half, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("sec")
		}
		if err != nil {
			t.Error(err)
		}
		writer <- f
	}()
	for _, path := range []string{silent, half} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		material, _, err := keyfile.Read(ctx, path)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || material != nil || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: %q, %v", path, material, err)
		}
	}
	_ = (<-writer).Close()
}

// TestDescriptor: chmod 640 /dev/stdin would change the standard input of chmod itself.
func TestDescriptor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere /dev/fd does not say which file it leads to")
	}
	real := filepath.Join(t.TempDir(), "key")
	write(t, real, "secret")
	if err := os.Chmod(real, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(real)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, source, err := keyfile.Read(t.Context(), fmt.Sprintf("/dev/fd/%d", f.Fd()))
	if got := source.Exposed(false); err != nil || len(got) != 1 || got[0] != real+" may be read by everybody: chmod 640 "+real {
		t.Errorf("%q, %v", got, err)
	}
}
