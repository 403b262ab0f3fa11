//go:build unix

// What of a test bed is not as usual.

package testbed

import (
	"time"
)

// Plan says what is not as usual.
type Plan struct {
	Servers   int      // 1
	Store     string   // where the servers' streams lie: in the test bed
	Sync      string   // "always"
	Armed     bool     // workers with failpoints
	Proxied   bool     // the gateway is reached through a proxy
	Cuttable  bool     // the first worker reaches NATS through a proxy
	Parted    bool     // servers reach each other through proxies, and each worker and asker knows one server only
	Workers   int      // 3; -1: none at first
	Worker    []string // more of their arguments
	Simulator []string // more arguments of the practice gateway
	Provision []string
	Calm      time.Duration   // how much longer what waits for its turn is given to end
	Clocks    []time.Duration // how far ahead each server's clock is
	Settle    time.Duration   // how long askers wait after the load; that of the pace
	Doors     string          // both
	Unlogged  bool            // there is no recorder
	Plain     bool            // askers ask in one way only
	Rate      float64         // 40 asks a second by each of two askers
	Keys      float64         // 25 new accounts a second
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
