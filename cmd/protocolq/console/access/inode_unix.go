//go:build unix

package access

import (
	"os"
	"syscall"
)

// inode is the file's inode number.
func inode(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
