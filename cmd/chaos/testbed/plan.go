//go:build unix

// The differences of a test bed from the default.

package testbed

import (
	"time"
)

// Plan has the differences of a test bed from the default.
type Plan struct {
	Servers   int      // 1
	Store     string   // folder of the servers' streams: in the test bed
	Sync      string   // "always"
	Armed     bool     // workers with failpoints
	Proxied   bool     // the gateway is reached through a proxy
	Cuttable  bool     // the first worker reaches NATS through a proxy
	Parted    bool     // servers reach each other through proxies, and each worker and asker knows one server only
	Workers   int      // 3; -1: none at first
	Worker    []string // more arguments for them
	Simulator []string // more arguments of the practice gateway
	Provision []string
	Calm      time.Duration   // how much longer asks may wait for their turn
	Clocks    []time.Duration // how far ahead each server's clock is
	Settle    time.Duration   // how long askers wait after the load; that of the pace
	Doors     string          // both
	Unlogged  bool            // no recorder
	Plain     bool            // askers ask in only one way
	Rate      float64         // 40 asks a second by each of two askers
	Keys      float64         // 25 new accounts a second
	AtOnce    int             // asks of each asker that wait before it waits with the next; 0: any
}

func (p *Plan) defaults() {
	if p.Servers == 0 {
		p.Servers = 1
	}
	if p.Sync == "" {
		p.Sync = "always"
	}
	if p.Workers == 0 {
		p.Workers = 3
	}
	if p.Doors == "" {
		p.Doors = "both"
	}
	if p.Rate == 0 {
		p.Rate = 40
	}
	if p.Keys == 0 {
		p.Keys = 25
	}
}
