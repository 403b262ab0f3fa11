// The first line of a worker's log: which program, which gateway, which partners, which limits.

package serve

import (
	"fmt"
	"log/slog"
	"net/url"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
)

func logStart(log *slog.Logger, c *settings.Config, client *gateway.Client, partners []gateway.Partner) {
	list, limits := make([]string, 0, len(partners)), c.Limits(partners)
	for _, p := range partners {
		list = append(list, fmt.Sprintf("%s rate=%d concurrency=%d", p.ID, limits[p.ID].Rate, limits[p.ID].Concurrency))
	}
	b := cli.ThisBuild()
	log.Info("worker starting", "version", b.Version, "commit", b.Commit, "nats", c.NATS, "prefix", c.Prefix, "gateway",
		gatewayHost(c), "proxy", client.Proxy().URL != nil,
		"partners", list, "slots", c.Slots, "parked", c.Parked, "attempts", c.Attempts, "retry_budget", c.RetryBudget,
		"call_timeout", cli.Short(c.CallTimeout), "lease", cli.Short(c.Lease), "window", cli.Short(c.Window),
		"freshness", cli.Short(c.Freshness),
		"cooldown", cli.Short(c.Cooldown), "grace", cli.Short(c.Grace), "after_crash", c.AfterCrash, "query_log",
		c.LogHMACKeyFile != "", "http_listen", c.HTTPListen)
}

// gatewayHost is the gateway's host; what comes before it in a URL may be a password.
func gatewayHost(c *settings.Config) string {
	u, err := url.Parse(c.GatewayURL)
	if err != nil {
		return "?"
	}
	return u.Host
}
