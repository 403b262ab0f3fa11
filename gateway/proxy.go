// The proxy for the gateway, as the environment names it, or why there is none.

package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpproxy"
)

// Proxy is the environment's proxy for the gateway.
type Proxy struct {
	// URL is the proxy: http, https, socks5 or socks5h, with a host and optional port, user and
	// password. Nil: there is no proxy.
	URL *url.URL
	// Variable is the variable that decided: the one that names the proxy, the one that exempts the
	// gateway, or the one that is not set.
	Variable string
	// Direct says why there is no proxy; "" if there is one.
	Direct string
}

// String names the variable and never shows the value, which may hold a password.
func (p Proxy) String() string {
	if p.URL == nil {
		return p.Variable + " " + p.Direct
	}
	return p.Variable + " [redacted]"
}

// GoString is String.
func (p Proxy) GoString() string { return p.String() }

// ProxyFromEnv finds the proxy for target in the variables that net/http uses: HTTPS_PROXY for
// https, HTTP_PROXY for http, then NO_PROXY, each in capitals or in small letters. As in net/http,
// localhost and loopback addresses need no proxy. Some values that net/http accepts are errors
// here, because they would send the query past the proxy, or to another: a value that is not the
// URL of a proxy, and two spellings that contradict each other. An entry of NO_PROXY that matches
// nothing is not an error, as the proxy is then used. Errors name the variable and show nothing of
// its value.
func ProxyFromEnv(target *url.URL, getenv func(string) string) (Proxy, error) {
	upper, lower := "HTTPS_PROXY", "https_proxy"
	if target.Scheme == "http" {
		upper, lower = "HTTP_PROXY", "http_proxy"
	}
	found := Proxy{Variable: upper}
	for _, name := range []string{lower, upper} { // net/http prefers capitals
		value := getenv(name)
		if value == "" {
			continue
		}
		u, err := parseProxy(value)
		if err != nil {
			return Proxy{}, fmt.Errorf("%s %w; give http://host:port, user and password percent-encoded", name, err)
		}
		found.URL, found.Variable = u, name
	}
	if u, l := getenv(upper), getenv(lower); u != "" && l != "" && u != l {
		return Proxy{}, fmt.Errorf("%s and %s differ; unset one, or give both the same value", upper, lower)
	}
	switch {
	case !proxied(target, ""):
		return Proxy{Variable: found.Variable,
			Direct: "has no effect: no proxy is asked for an address of this machine"}, nil
	case found.URL == nil && getenv("ALL_PROXY")+getenv("all_proxy") != "":
		return Proxy{Variable: upper, Direct: "is not set, and ALL_PROXY is not read"}, nil
	case found.URL == nil:
		return Proxy{Variable: upper, Direct: "is not set"}, nil
	}
	exempting, err := exemptedBy(target, getenv)
	if err != nil {
		return Proxy{}, err
	}
	if exempting == "" {
		return found, nil
	}
	return Proxy{Variable: exempting, Direct: "exempts " + target.Hostname()}, nil
}

// exemptedBy names the variable that exempts target from the proxy, or "". NO_PROXY and no_proxy
// may differ if they say the same about target.
func exemptedBy(target *url.URL, getenv func(string) string) (string, error) {
	upper, lower := getenv("NO_PROXY"), getenv("no_proxy")
	name, value := "NO_PROXY", upper
	switch {
	case upper == "":
		name, value = "no_proxy", lower
	case lower != "" && proxied(target, upper) != proxied(target, lower):
		return "", fmt.Errorf("NO_PROXY and no_proxy differ about %s; unset one, or give both the same value",
			target.Hostname())
	}
	if proxied(target, value) {
		return "", nil
	}
	return name, nil
}

// proxied reports whether a proxy would be used for target with this NO_PROXY.
func proxied(target *url.URL, noProxy string) bool {
	const some = "http://proxy.invalid" // any proxy will do here
	u, err := (&httpproxy.Config{HTTPProxy: some, HTTPSProxy: some, NoProxy: noProxy}).ProxyFunc()(target)
	return err == nil && u != nil
}

// parseProxy reads a URL or a bare host[:port], which means http. It refuses anything ambiguous:
// net/http makes a host called "http" of http//proxy:3128. Its errors show nothing of the value,
// not even the scheme: the value may be a password.
func parseProxy(value string) (*url.URL, error) {
	schemes := []string{"http", "https", "socks5", "socks5h"}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" && !slices.Contains(schemes, u.Scheme) {
		if u, err = url.Parse("http://" + value); err != nil {
			return nil, errors.New("is not a proxy's URL")
		}
	}
	if !slices.Contains(schemes, u.Scheme) {
		return nil, errors.New("has a scheme that is not http, https, socks5 or socks5h")
	}
	if u.Hostname() == "" {
		return nil, errors.New("has no host")
	}
	if port := u.Port(); port != "" || u.Host[len(u.Host)-1] == ':' {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that is not from 1 to 65535")
		}
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, errors.New("has more than a scheme, user, host and port")
	}
	return u, nil
}
