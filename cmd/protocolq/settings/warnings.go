// Warnings about settings that are valid but most likely a mistake.

package settings

import (
	"fmt"
	"io"
	"log/slog"

	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// testAccountHint is what to do about a test account.
const testAccountHint = "test accounts are charged 3 %: use the partner id of your own contract"

// WarnTestAccounts logs which of partners are test accounts.
func WarnTestAccounts(log *slog.Logger, partners []gateway.Partner) {
	for _, p := range partners {
		if source := mapi.TestPartner(p.ID); source != "" {
			log.Warn("the partner is known as a test account", "partner", p.ID, "source", source, "hint",
				testAccountHint)
		}
	}
}

// TellTestAccount warns about one at the command line.
func TellTestAccount(w io.Writer, id string) {
	if source := mapi.TestPartner(id); source != "" {
		fmt.Fprintf(w, "protocolq: warning: partner %s is known as a test account (%s)\n  hint: %s\n", id, source,
			testAccountHint)
	}
}

// noProxyHint says what to do if a proxy was asked for and there is none.
const noProxyHint = "set HTTPS_PROXY, take the gateway's host out of NO_PROXY, or turn gateway-proxy-from-env off"

// WarnNoProxy logs that the way to the gateway is direct although a proxy was asked for.
func WarnNoProxy(log *slog.Logger, p gateway.Proxy) {
	if p.Direct != "" {
		log.Warn("the gateway is asked directly, without a proxy", "setting", "gateway-proxy-from-env", "variable",
			p.Variable, "why", p.String(), "hint", noProxyHint)
	}
}

// TellNoProxy warns about the same at the command line.
func TellNoProxy(w io.Writer, p gateway.Proxy) {
	if p.Direct != "" {
		fmt.Fprintf(w, "protocolq: warning: gateway-proxy-from-env: the gateway is asked directly: %s\n  hint: %s\n",
			cli.Printable(p.String()), noProxyHint)
	}
}
