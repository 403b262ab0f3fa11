// Temporary directories: removed at the end, also after a second signal.

package cli

import (
	"fmt"
	"os"
	"sync"
)

// temporary lists the directories that are still there.
var temporary struct {
	mu   sync.Mutex
	dirs map[string]bool
}

// TemporaryDir makes a directory that RemoveTemporary, or the program's end, removes.
func TemporaryDir(pattern string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return "", fmt.Errorf("make a temporary directory: %w", err)
	}
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	if temporary.dirs == nil {
		temporary.dirs = map[string]bool{}
	}
	temporary.dirs[dir] = true
	return dir, nil
}

// RemoveTemporary removes a directory that TemporaryDir made.
func RemoveTemporary(dir string) {
	_ = os.RemoveAll(dir)
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	delete(temporary.dirs, dir)
}

// removeAllTemporary removes all of them when there is no time for anything else.
func removeAllTemporary() {
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	for dir := range temporary.dirs {
		_ = os.RemoveAll(dir)
	}
}
