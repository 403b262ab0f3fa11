// Checks the settings by the gateway's client itself.

package settings

import (
	"errors"
	"os"
	"strings"

	"protocolq/gateway"
)

// CheckGateway lets the client itself check the URL, the account's parameter name and the proxy, so
// that there is one rule on where a signed query may go.
func (c *Config) CheckGateway() error {
	if c.checkGatewayURL() != nil {
		return nil // reported already
	}
	fault := func(setting, label string, o gateway.Options) error {
		o.Partners = PracticePartners()
		client, err := gateway.New(o)
		if err == nil {
			client.Close()
			return nil
		}
		text := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "gateway: "), "\n", "; ")
		text = strings.ReplaceAll(text, "allowed as unsafe", "allowed by --unsafe-gateway") // the client knows no flags
		return &Fault{Setting: setting, Err: errors.New(strings.TrimPrefix(text, label+": "))}
	}
	o := gateway.Options{URL: c.GatewayURL, UnsafeHost: c.UnsafeGateway}
	faults := []error{fault("gateway-url", "URL", o),
		fault("account-param", "AccountParam", gateway.Options{AccountParam: c.AccountParam})}
	if o.ProxyEnv = c.ProxyEnv(); faults[0] == nil {
		faults = append(faults, fault("gateway-proxy-from-env", "ProxyEnv", o))
	}
	return errors.Join(faults...)
}

// ProxyEnv is where the client looks for a proxy; nil if it must not.
func (c *Config) ProxyEnv() func(string) string {
	if c.GatewayProxyFromEnv {
		return os.Getenv
	}
	return nil
}
