//go:build unix && !linux

// Where there is no loop device, no disk is harmed.

package main

func diskScenarios() []scenario { return nil }
