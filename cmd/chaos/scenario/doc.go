//go:build unix

// Package scenario has the kinds of harm that the chaos test does, the results that each allows,
// and Run, which runs one.
package scenario
