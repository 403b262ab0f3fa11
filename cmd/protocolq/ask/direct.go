// Asking the gateway directly, for the commands that look for faults without a queue.

package ask

import (
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
)

// directSettings are the settings of call and form.
var directSettings = []string{"gateway-url", "unsafe-gateway", "gateway-proxy-from-env", "account-param",
	"partner", "sign-type", "charset", "key-file", "alipay-public-key-file", "partners"}

// direct is a question with everything needed to ask the gateway.
type direct struct {
	question
	cfg *settings.Config
	set *settings.Set
}

func addDirect(c *cobra.Command) *direct {
	d := &direct{cfg: &settings.Config{}}
	d.set = settings.New(d.cfg, directSettings...)
	d.set.AddFlags(c.Flags())
	d.set.FindDev(c)
	d.addAccount(c.Flags())
	return d
}

// client reads the settings and the keys, and reports all their faults at once.
func (d *direct) client(c *cobra.Command, timeout time.Duration) (*gateway.Client, error) {
	return newClient(c, d.set, d.cfg, timeout, d.check)
}

// newClient reads set, which is of cfg, with the keys that it names, and then asks check.
func newClient(c *cobra.Command, set *settings.Set, cfg *settings.Config, timeout time.Duration,
	check func() error) (*gateway.Client, error) {
	var partners []gateway.Partner
	readKeys := func() (err error) { partners, err = cfg.LoadPartners(); return err }
	if err := set.Load(c.Flags(), cfg.CheckPartners, cfg.CheckGateway, readKeys); err != nil {
		return nil, err
	}
	if err := check(); err != nil {
		return nil, err
	}
	if cfg.Partner == "" {
		cfg.Partner = partners[0].ID
	}
	client, err := gateway.New(gateway.Options{URL: cfg.GatewayURL, UnsafeHost: cfg.UnsafeGateway, Partners: partners,
		AccountParam: cfg.AccountParam, Timeout: timeout, ProxyEnv: cfg.ProxyEnv()})
	if err != nil {
		return nil, &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	return client, nil
}

// ask is the question in the gateway's words.
func (d *direct) ask(explain bool) gateway.Query {
	return gateway.Query{Partner: d.cfg.Partner, UserEmail: d.email, AccountNo: d.account, Explain: explain}
}
