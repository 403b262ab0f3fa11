//go:build !unix

// Where there is no lock that ends with its process, nothing is locked.

package cli

import "os"

// Lock does nothing here.
func Lock(*os.File) error { return nil }
