//go:build !unix

// On other systems the tests use only one database.

package database_test

import "testing"

func postgresPlace(t testing.TB) string {
	t.Skip("PostgreSQL is tested on Unix")
	return ""
}

func pooledPlace(t testing.TB) string { return postgresPlace(t) }
