//go:build !unix

// Where there is no lock that ends with its process, nothing is locked.

package cli

import "os"

// CanLock says whether Lock does anything on this system.
const CanLock = false

// Lock does nothing here.
func Lock(*os.File) error { return nil }

// Locked cannot know it here.
func Locked(*os.File) (bool, error) { return false, nil }
