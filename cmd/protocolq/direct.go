// Asking the gateway directly, for the commands that look for faults without a queue.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"protocolq/gateway"
)

// directSettings are the settings of call and form.
var directSettings = []string{"gateway-url", "unsafe-gateway", "gateway-proxy-from-env", "account-param",
	"partner", "sign-type", "charset", "key-file", "alipay-public-key-file", "partners"}

// direct is a question with everything needed to put it to the gateway.
type direct struct {
	question
	cfg *Config
	set *settings
}

func addDirect(c *cobra.Command) *direct {
	d := &direct{cfg: &Config{}}
	d.set = newSettings(d.cfg.table(), directSettings...)
	d.set.addFlags(c.Flags())
	d.addAccount(c.Flags())
	return d
}

// client reads the settings and the keys, and tells every fault of them at once.
func (d *direct) client(c *cobra.Command, timeout time.Duration) (*gateway.Client, error) {
	var partners []gateway.Partner
	readKeys := func() (err error) { partners, err = d.cfg.partners(); return err }
	if err := d.set.load(c.Flags(), d.cfg.checkPartners, d.cfg.checkGateway, readKeys); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.cfg.Partner == "" {
		d.cfg.Partner = partners[0].ID
	}
	client, err := gateway.New(gateway.Options{URL: d.cfg.GatewayURL, UnsafeHost: d.cfg.UnsafeGateway, Partners: partners,
		AccountParam: d.cfg.AccountParam, Timeout: timeout, ProxyEnv: d.cfg.proxyEnv()})
	if err != nil {
		return nil, &exitError{Code: exitUsage, Err: err}
	}
	return client, nil
}

// ask is the question in the gateway's words.
func (d *direct) ask(explain bool) gateway.Query {
	return gateway.Query{Partner: d.cfg.Partner, UserEmail: d.email, AccountNo: d.account, Explain: explain}
}

// checkGateway asks the client itself what it thinks of the URL, the account's parameter name and
// the proxy, so that there is one rule on where a signed query may go.
func (c *Config) checkGateway() error {
	if c.checkGatewayURL() != nil {
		return nil // told already
	}
	fault := func(setting, label string, o gateway.Options) error {
		o.Partners = practicePartners()
		client, err := gateway.New(o)
		if err == nil {
			client.Close()
			return nil
		}
		text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "gateway: "), "\n", "; ")
		text = strings.ReplaceAll(text, "allowed as unsafe", "allowed by --unsafe-gateway") // the client knows no flags
		return &settingError{Setting: setting, Err: errors.New(strings.TrimPrefix(text, label+": "))}
	}
	o := gateway.Options{URL: c.GatewayURL, UnsafeHost: c.UnsafeGateway}
	faults := []error{fault("gateway-url", "URL", o), fault("account-param", "AccountParam", gateway.Options{AccountParam: c.AccountParam})}
	if o.ProxyEnv = c.proxyEnv(); faults[0] == nil {
		faults = append(faults, fault("gateway-proxy-from-env", "ProxyEnv", o))
	}
	return errors.Join(faults...)
}

// proxyEnv is where the client looks for a proxy; nil where it must not.
func (c *Config) proxyEnv() func(string) string {
	if c.GatewayProxyFromEnv {
		return os.Getenv
	}
	return nil
}

// noProxyHint is the way out where a proxy was asked for and there is none.
const noProxyHint = "set HTTPS_PROXY, take the gateway's host out of NO_PROXY, or turn gateway-proxy-from-env off"

// warnNoProxy logs that the way to the gateway is direct though a proxy was asked for.
func warnNoProxy(log *slog.Logger, p gateway.Proxy) {
	if p.Direct != "" {
		log.Warn("the gateway is asked directly, without a proxy", "setting", "gateway-proxy-from-env", "variable", p.Variable, "why", p.String(), "hint", noProxyHint)
	}
}

// tellNoProxy warns of the same at the command line.
func tellNoProxy(w io.Writer, p gateway.Proxy) {
	if p.Direct != "" {
		fmt.Fprintf(w, "protocolq: warning: gateway-proxy-from-env: the gateway is asked directly: %s\n  hint: %s\n", printable(p.String()), noProxyHint)
	}
}
