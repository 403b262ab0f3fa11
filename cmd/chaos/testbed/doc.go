//go:build unix

// Package testbed is everything that one scenario of the chaos test runs in: the programs as
// processes, proxies between them, disks that can fail, askers and observers.
package testbed
