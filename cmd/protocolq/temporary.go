// Temporary directories: removed at the end, also when the end comes by a second signal.
package main

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

// makeTemporary makes a directory that dropTemporary, or the program's end, removes.
func makeTemporary(pattern string) (string, error) {
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

// dropTemporary removes a directory that makeTemporary made.
func dropTemporary(dir string) {
	_ = os.RemoveAll(dir)
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	delete(temporary.dirs, dir)
}

// removeTemporary removes all of them, when there is no time for anything else.
func removeTemporary() {
	temporary.mu.Lock()
	defer temporary.mu.Unlock()
	for dir := range temporary.dirs {
		_ = os.RemoveAll(dir)
	}
}
