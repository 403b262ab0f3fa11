//go:build unix

// Package scenario has the kinds of harm that the torture run does, what each allows to come of it,
// and Run, which does one.
package scenario
