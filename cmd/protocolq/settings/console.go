// The settings of the page in the browser: where it is, who may use it.

package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"protocolq/worker/ops"
)

// Console are the settings of protocolq console.
type Console struct {
	Listen         string
	URL            string
	UsersFile      string
	SessionKeyFile string
	AuditFile      string
	WebhookFile    string
	Partners       []string
	Proxies        []string
	ProxyHeader    string

	Issuer     string
	ClientID   string
	SecretFile string
	Claim      string
}

func (c *Config) consoleSettings() []setting {
	o := &c.Console
	return []setting{
		checked(text(&o.Listen, setting{name: "console-listen", kind: "host:port", fallback: "127.0.0.1:8470",
			usage: "address of the page; :8470 is 127.0.0.1:8470; an address that other machines reach needs " +
				"console-users-file"}), c.checkConsoleListen),
		checked(text(&o.URL, setting{name: "console-url", kind: "URL",
			usage: "public URL of the page, such as https://protocolq.example.com; query, submit, log show, alerts " +
				"and a worker's log link to it"}), c.checkConsoleURL),
		text(&o.UsersFile, setting{name: "console-users-file", kind: "path",
			usage: "users of the page, as 'protocolq console user' writes them; without it everybody on this " +
				"machine is an operator, and nobody else gets in"}),
		text(&o.SessionKeyFile, setting{name: "console-session-key-file", kind: kindFile,
			usage: "at least 32 random bytes that sign sessions, the same for all console processes; without it " +
				"sessions end with the process"}),
		text(&o.AuditFile, setting{name: "console-audit-file", kind: "path",
			usage: "audit file of the page, one line of JSON for each action; without it the last thousand are kept " +
				"in memory"}),
		checked(list(&o.Partners, setting{name: "console-partners",
			usage: "partners that operators may look up for, separated by commas; without it the workers' default"}),
			c.checkConsolePartners),
		text(&o.WebhookFile, setting{name: "console-webhook-file", kind: kindFile,
			usage: "file of a webhook that is told when a watch has ended: the URL in its first line, below it a " +
				"secret as 'protocolq http secret' makes it; the same for all console processes"}),
		checked(list(&o.Proxies, setting{name: "console-proxies",
			usage: "addresses (10.1.2.3, 10.0.0.0/8) of proxies that are trusted to say the reader's address, TLS " +
				"and name"}), c.checkConsoleProxies),
		text(&o.ProxyHeader, setting{name: "console-proxy-header", kind: "name",
			usage: "header in which such a proxy says who the reader is, such as X-Forwarded-User; the proxy must " +
				"remove it from what readers send"}),
		checked(text(&o.Issuer, setting{name: "console-oidc-issuer", kind: "URL",
			usage: "the organisation's OpenID Connect provider, where readers may sign in; the redirect URL is " +
				"console-url/sign-on/back"}), c.checkConsoleIssuer),
		text(&o.ClientID,
			setting{name: "console-oidc-client-id", kind: "id", usage: "the page's client id at the provider"}),
		text(&o.SecretFile, setting{name: "console-oidc-client-secret-file", kind: kindFile,
			usage: "file with the page's client secret at the provider; without it the page is a public client"}),
		text(&o.Claim, setting{name: "console-oidc-claim", kind: "name", fallback: "email",
			usage: "the field of the ID token that is the name in console-users-file, such as email or " +
				"preferred_username"}),
	}
}

func (c *Config) checkConsoleListen() error {
	_, err := ops.Address(c.Console.Listen)
	return err
}

// CheckConsole reports settings that contradict each other.
func (c *Config) CheckConsole() error {
	var faults []error
	if c.Console.UsersFile == "" && !c.ConsoleIsLocal() {
		faults = append(faults, &Fault{Setting: "console-listen",
			Err: errors.New("is not this machine's own: without users the page is only for this machine; 'protocolq " +
				"console user add' makes the first, console-users-file names the file")})
	}
	if c.Console.ProxyHeader != "" && len(c.Console.Proxies) == 0 {
		faults = append(faults, &Fault{Setting: "console-proxy-header",
			Err: errors.New("needs console-proxies: only a known proxy may say who the reader is")})
	}
	if c.Console.Issuer != "" && (c.Console.UsersFile == "" || c.Console.URL == "" || c.Console.ClientID == "") {
		faults = append(faults, &Fault{Setting: "console-oidc-issuer",
			Err: errors.New("needs console-url, console-oidc-client-id and console-users-file, which says who may do " +
				"what")})
	}
	return errors.Join(faults...)
}

func (c *Config) checkConsoleIssuer() error {
	if c.Console.Issuer == "" {
		return nil
	}
	if u, err := url.Parse(c.Console.Issuer); err != nil || u.Host == "" ||
		u.Scheme != "https" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
		return errors.New("must be an https URL, as the provider writes it in its tokens")
	}
	return nil
}

// ConsoleIsLocal reports whether only this machine reaches the page.
func (c *Config) ConsoleIsLocal() bool {
	address, err := ops.Address(c.Console.Listen)
	if err != nil {
		return true // reported already
	}
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func (c *Config) checkConsoleURL() error {
	if c.Console.URL == "" {
		return nil
	}
	u, err := url.Parse(c.Console.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" ||
		u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return errors.New("must be a URL without a path, such as https://protocolq.example.com")
	}
	return nil
}

func (c *Config) checkConsolePartners() error {
	var faults []error
	for _, p := range c.Console.Partners {
		faults = append(faults, CheckPartnerID(p))
	}
	return errors.Join(faults...)
}

func (c *Config) checkConsoleProxies() error {
	_, err := c.ConsoleProxies()
	return err
}

// PageOf is the address of the page about a query, by its id or that of its run; "" without
// console-url.
func (c *Config) PageOf(id string) string {
	if id == "" {
		return ""
	}
	return c.PageAt("/queries/" + url.PathEscape(id))
}

// PageAt is the address of one of the page's paths; "" without console-url.
func (c *Config) PageAt(path string) string {
	if c.Console.URL == "" {
		return ""
	}
	return strings.TrimSuffix(c.Console.URL, "/") + path
}

// ConsoleProxies are the networks of console-proxies.
func (c *Config) ConsoleProxies() (list []netip.Prefix, err error) {
	for _, text := range c.Console.Proxies {
		p, err := netip.ParsePrefix(text)
		if a, alone := netip.ParseAddr(text); alone == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not an address or network", text)
		}
		list = append(list, p)
	}
	return list, nil
}
