// Reading a file that holds a secret: once, with bounds, and without blocking a signal.

// Package keyfile reads the sources of keys: a file, a pipe, /dev/stdin, or the
// /dev/fd/63 of a shell's process substitution. A source is opened and read
// exactly once, because a pipe can be read only once. The result says whether the
// source may be read again (only a regular file may), and who else can read or
// change the file.
//
// The package knows files, not keys: protocolq/gateway/mapi and others parse what is in them.
package keyfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// MaxSize in bytes is far above the size of any key. It keeps a wrong path from being read
// completely.
const MaxSize = 64 << 10

// ErrNotRegular says that a source can be read only once: a pipe, a terminal.
var ErrNotRegular = errors.New("is not a regular file, so it cannot be read again")

// Source describes where a secret came from. It holds no part of the secret.
type Source struct {
	// Path is the path as given.
	Path string
	// Regular says that the file may be read again, with [Reread].
	Regular bool

	file    place
	folders []place
}

// Read reads path once. If it is not a regular file, Read waits for its writer until ctx ends; the
// error of ctx is then part of Read's. A source that holds more than MaxSize bytes is an error.
func Read(ctx context.Context, path string) ([]byte, Source, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		material, err := readStream(ctx, path)
		return material, Source{Path: path}, err
	}
	return readRegular(path)
}

// Reread reads a regular file again. It never waits.
func Reread(path string) ([]byte, error) {
	material, _, err := readRegular(path)
	return material, err
}

func readRegular(path string) ([]byte, Source, error) {
	// A regular file may have become a pipe meanwhile: opening it must not block.
	f, err := os.OpenFile(path, os.O_RDONLY|openWithoutWaiting, 0)
	if err != nil {
		return nil, Source{Path: path}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, Source{Path: path}, err
	}
	if !info.Mode().IsRegular() {
		return nil, Source{Path: path}, fmt.Errorf("%s %w", path, ErrNotRegular)
	}
	material, err := readBounded(f, path)
	return material,
		Source{Path: path, Regular: true, file: place{nameOf(path), info.Mode()}, folders: foldersOf(path)}, err
}

// nameOf is a name of the file that is valid in every process: for chmod, /dev/stdin and /dev/fd/63
// would be other files.
func nameOf(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil &&
		(strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/")) {
		return real
	}
	return path
}

// foldersOf are the folder in path and, if path is a link, the folder of its target: a user who may
// change either can replace the key.
func foldersOf(path string) (folders []place) {
	paths := []string{filepath.Dir(path)}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(real) != paths[0] {
		paths = append(paths, filepath.Dir(real))
	}
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			folders = append(folders, place{p, info.Mode()})
		}
	}
	return folders
}

func readBounded(r io.Reader, path string) ([]byte, error) {
	material, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(material) > MaxSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, MaxSize)
	}
	return material, nil
}

// readStream reads in a goroutine, because opening a pipe blocks until there is a writer, and no
// context ends that.
func readStream(ctx context.Context, path string) ([]byte, error) {
	type result struct {
		material []byte
		err      error
	}
	read := make(chan result, 1)
	go func() {
		material, err := openAndRead(ctx, path)
		read <- result{material, err}
	}()
	select {
	case r := <-read:
		if ctx.Err() == nil {
			return r.material, r.err
		}
	case <-ctx.Done():
		// The goroutine ends by this or by its deadline. If the system supports neither for this kind of
		// file, it ends with the program.
		wakeReader(path)
	}
	return nil, fmt.Errorf("%s was not written to the end: %w", path, ctx.Err())
}

func openAndRead(ctx context.Context, path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) })
	defer stop()
	return readBounded(f, path)
}
