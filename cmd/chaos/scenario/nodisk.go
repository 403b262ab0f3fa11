//go:build unix && !linux

// Where there is no loop device, no disk is harmed.

package scenario

func diskScenarios() []scenario { return nil }
