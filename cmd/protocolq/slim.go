// The program of a worker's machine (make slim): without an embedded server and without databases.

//go:build slim

package main

import (
	"errors"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
)

// full are the commands that this build lacks: each says so.
func full() (running, looking []*cobra.Command) {
	for _, name := range []string{"demo", "dev", "simulator", "nats-config", "recorder", "console", "http", "log",
		"forget", "doctor"} {
		running = append(running, &cobra.Command{Use: name, Hidden: true, DisableFlagParsing: true,
			RunE: func(c *cobra.Command, _ []string) error {
				return &cli.Error{Code: cli.ExitUsage, Err: errors.New("this build has no " + c.Name()),
					Hint: "take the full program: make build"}
			}})
	}
	return running, nil
}
