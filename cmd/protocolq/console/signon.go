// The organisation's sign-in, from the settings.

package console

import (
	"bytes"
	"fmt"
	"strings"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/signon"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/settings"
)

// signOn is nil if the settings name no provider.
func signOn(cfg *settings.Config, sealer *access.Sealer) (web.SignOn, error) {
	c := cfg.Console
	if c.Issuer == "" {
		return nil, nil
	}
	o := signon.Options{Issuer: c.Issuer, ClientID: c.ClientID, Claim: c.Claim, URL: strings.TrimSuffix(c.URL, "/"),
		Sealer: sealer}
	if c.SecretFile != "" {
		source := cfg.SecretFile(c.SecretFile)
		if source.Err != nil {
			return nil, fmt.Errorf("read the client's secret: %w", source.Err)
		}
		o.Secret = func() (string, error) {
			secret, err := source.Now()
			return string(bytes.TrimSpace(secret)), err
		}
	}
	return signon.New(o), nil
}
