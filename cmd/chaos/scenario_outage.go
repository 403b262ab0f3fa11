//go:build unix

// A storm: twice what the fleet may ask is wanted of it while the gateway only fails, and then the gateway is well again.

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// What the fleet of the outage is told, and what is asked of it.
const (
	outageRate  = 25                          // calls a second
	calmKeys    = 4.0                         // new accounts a second in good times
	stormKeys   = 2*outageRate - 1.5*calmKeys // and besides in the storm
	outageLeast = 21 * time.Second
)

func outageScenario() scenario {
	return scenario{
		name: "outage", about: "the gateway only fails while twice the fleet's rate is asked for, then it is well", least: outageLeast, harm: outageStorm,
		plan: plan{Proxied: true, Rate: calmKeys, Keys: calmKeys / 2, Worker: []string{"--rate", fmt.Sprint(outageRate)}},
		bounds: bounds{Excused: true, Failing: true, Unknown: true, Load: &loadBounds{Cooldown: cooldown, Workers: 3,
			Rate: outageRate, Goodput: time.Minute}},
	}
}

// outageStorm lets the storm last for seconds, or a minute where there is time.
func outageStorm(ctx context.Context, h *house, long time.Duration) error {
	calm, bad := 4*time.Second, 5*time.Second
	after := long - calm - bad
	if long > outageLeast {
		bad, after = time.Minute, time.Minute
	}
	failing, err := h.practice(ctx, "--fault", "system-error:1")
	if err != nil {
		return err
	}
	if err := h.crowd(ctx, "calm", 1, calmKeys, calm+bad+after); err != nil {
		return err
	}
	if err := pause(ctx, calm); err != nil {
		return err
	}
	if err := h.crowd(ctx, "storm", 2, stormKeys, bad); err != nil {
		return err
	}
	at := h.did(storm, "gateway")
	h.way.lead(failing.address)
	if err := pause(ctx, bad); err != nil {
		return err
	}
	h.way.lead(h.gateways[0].address)
	h.mended(at)
	return pause(ctx, after)
}

// crowd starts one more asker, with accounts of its own, each asked for once or more.
func (h *house) crowd(ctx context.Context, name string, offset uint64, keys float64, long time.Duration) error {
	p, err := start(ctx, h.dir, "asker-"+name, nil, h.prog.self, "asker", "-name", name, "-nats", h.cluster.urls(), "-seed", fmt.Sprint(h.seed+offset<<32),
		"-begin", fmt.Sprint(time.Now().UnixMicro()), "-for", long.String(), "-settle", settle.String(), "-rate", fmt.Sprint(1.4*keys), "-keys", fmt.Sprint(keys),
		"-doors", h.Doors, "-out", filepath.Join(h.dir, name+".jsonl"))
	if err != nil {
		return err
	}
	h.askers = append(h.askers, p)
	return nil
}
