// The commands that a worker's machine does not need: most include a NATS server or a database.

//go:build !slim

package main

import (
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/console"
	"protocolq/cmd/protocolq/demo"
	"protocolq/cmd/protocolq/doctor"
	"protocolq/cmd/protocolq/fleet"
	"protocolq/cmd/protocolq/forget"
	"protocolq/cmd/protocolq/httpdoor"
	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/cmd/protocolq/querylog"
)

// full are the commands that run something, and those that look for faults.
func full() (running, looking []*cobra.Command) {
	log := querylog.Command()
	log.AddCommand(forget.Alias())
	return []*cobra.Command{demo.Demo(), demo.Dev(), demo.Simulator(), natsconfig.Command(), fleet.Recorder(),
			console.Command(), httpdoor.Command(), log, forget.Command()},
		[]*cobra.Command{doctor.Command()}
}
