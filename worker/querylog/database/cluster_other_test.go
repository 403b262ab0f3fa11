//go:build !unix

// Elsewhere the tests know one database only.

package database_test

import "testing"

func postgresPlace(t testing.TB) string {
	t.Skip("PostgreSQL is tested on Unix")
	return ""
}

func pooledPlace(t testing.TB) string { return postgresPlace(t) }
