// What only Unix has: named pipes, and modes that say who may read.

//go:build unix

package keyfile

import (
	"os"
	"syscall"
)

const (
	openWithoutWaiting = syscall.O_NONBLOCK
	modesCount         = true
)

// wakeReader ends an open of a named pipe that waits for a writer, by being that writer.
func wakeReader(path string) {
	if info, err := os.Stat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	if f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		_ = f.Close()
	}
}
