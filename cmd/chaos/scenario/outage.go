//go:build unix

// A storm: askers want twice what the fleet may ask while the gateway only fails, and then the
// gateway recovers.

package scenario

import (
	"context"
	"fmt"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
)

// Settings of the fleet in the outage, and its load.
const (
	outageRate  = 25                          // calls a second
	calmKeys    = 4.0                         // new accounts a second in good times
	stormKeys   = 2*outageRate - 1.5*calmKeys // and additionally in the storm
	outageLeast = 21 * time.Second
)

func outageScenario(p verdict.Pace) Scenario {
	return Scenario{
		Name: "outage", About: "the gateway only fails while twice the fleet's rate is asked for, then it is well",
		least: outageLeast, harm: outageStorm,
		plan: testbed.Plan{Proxied: true, Plain: true, Calm: 10 * time.Second, Rate: calmKeys, Keys: calmKeys / 2,
			Worker: []string{"--rate", fmt.Sprint(outageRate)}},
		bounds: verdict.Bounds{Excused: true, Failing: true, Unknown: true,
			Load: &verdict.LoadBounds{Cooldown: p.Cooldown, Workers: 3,
				Rate: outageRate, Goodput: time.Minute}},
	}
}

// outageStorm lets the storm last for seconds, or a minute if there is time.
func outageStorm(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	calm, bad := 4*time.Second, 5*time.Second
	after := long - calm - bad
	if long > outageLeast {
		bad, after = time.Minute, time.Minute
	}
	failing, err := h.Practice(ctx, "--fault", "system-error:1")
	if err != nil {
		return err
	}
	if err := h.Crowd(ctx, "calm", 1, calmKeys, calm+bad+after); err != nil {
		return err
	}
	if err := testbed.Pause(ctx, calm); err != nil {
		return err
	}
	if err := h.Crowd(ctx, "storm", 2, stormKeys, bad); err != nil {
		return err
	}
	at := h.Reroute(verdict.Storm, failing.Address)
	if err := testbed.Pause(ctx, bad); err != nil {
		return err
	}
	h.ToGateway.Lead(h.Gateways[0].Address)
	h.Recover(at)
	return testbed.Pause(ctx, after)
}
