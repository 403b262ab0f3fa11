//go:build unix

// One server a directory: two on the same files destroy them.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDirectory holds dir for this process. The lock goes with the process, however it ends; the
// file stays.
func lockDirectory(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "protocolq.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s is in use by another process", dir)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
