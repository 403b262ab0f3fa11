//go:build unix

// Package testbed is everything one scenario of the torture run runs in: the programs as processes,
// proxies between them, disks that can fail, askers, and those who watch.
package testbed
