//go:build unix && !linux

// Without a loop device, no disk is harmed.

package scenario

func diskScenarios() []scenario { return nil }
