//go:build unix

// A lock on a file: two processes that wrote the same file would destroy it.

package cli

import (
	"errors"
	"os"
	"syscall"
)

// CanLock says whether Lock does anything on this system.
const CanLock = true

// Lock locks f for this process until f is closed: the lock ends with the process in any case.
func Lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errors.New("in use by another process")
	}
	return err
}

// Locked reports whether a process holds f by Lock. It takes a shared lock for a moment.
func Locked(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	}
	return false, err
}
