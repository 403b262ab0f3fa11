//go:build unix

// One process a file: two that write the same destroy it.

package cli

import (
	"errors"
	"os"
	"syscall"
)

// Lock holds f for this process, until f is closed: the lock goes with the process, however that
// ends.
func Lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errors.New("in use by another process")
	}
	return err
}
