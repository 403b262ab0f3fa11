// The environment's proxy for the gateway: used, absent, contradictory or unreadable.

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpproxy"

	"protocolq/gateway"
)

const (
	// proxySecret is in every place of a value where a secret may be.
	proxySecret = "hunter2"
	proxyURL    = "http://u:" + proxySecret + "@proxy.example:3128"
)

type env map[string]string

func (e env) get(name string) string { return e[name] }

func TestProxyFromEnv(t *testing.T) {
	t.Parallel()
	const https, loopback = "https://mapi.alipay.com/gateway.do", "http://127.0.0.1:8480/gateway.do"
	for name, c := range map[string]struct {
		target   string
		env      env
		url      string // of the proxy
		variable string // with url "", the variable that made it direct
		fault    string
	}{
		"capitals":             {https, env{"HTTPS_PROXY": proxyURL}, proxyURL, "HTTPS_PROXY", ""},
		"small letters":        {https, env{"https_proxy": proxyURL}, proxyURL, "https_proxy", ""},
		"both, the same":       {https, env{"HTTPS_PROXY": proxyURL, "https_proxy": proxyURL}, proxyURL, "HTTPS_PROXY", ""},
		"a bare host":          {https, env{"HTTPS_PROXY": "proxy.example"}, "http://proxy.example", "HTTPS_PROXY", ""},
		"a bare host and port": {https, env{"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128", "HTTPS_PROXY", ""},
		"an address and port":  {https, env{"HTTPS_PROXY": "192.0.2.1:3128"}, "http://192.0.2.1:3128", "HTTPS_PROXY", ""},
		"IPv6":                 {https, env{"HTTPS_PROXY": "http://[2001:db8::1]:3128/"}, "http://[2001:db8::1]:3128/", "HTTPS_PROXY", ""},
		"TLS to the proxy":     {https, env{"HTTPS_PROXY": "https://proxy.example"}, "https://proxy.example", "HTTPS_PROXY", ""},
		"SOCKS":                {https, env{"HTTPS_PROXY": "socks5://proxy.example:1080"}, "socks5://proxy.example:1080", "HTTPS_PROXY", ""},
		"SOCKS, names there":   {https, env{"HTTPS_PROXY": "socks5h://proxy.example:1080"}, "socks5h://proxy.example:1080", "HTTPS_PROXY", ""},
		"of another host":      {https, env{"HTTPS_PROXY": proxyURL, "NO_PROXY": "example.com,10.0.0.0/8"}, proxyURL, "HTTPS_PROXY", ""},
		"NO_PROXY unreadable":  {https, env{"HTTPS_PROXY": proxyURL, "NO_PROXY": "10.0.0.0/99,https://mapi.alipay.com/"}, proxyURL, "HTTPS_PROXY", ""},
		"a broken HTTP_PROXY":  {https, env{"HTTPS_PROXY": proxyURL, "HTTP_PROXY": "://"}, proxyURL, "HTTPS_PROXY", ""},

		"nothing set":           {https, env{}, "", "HTTPS_PROXY is not set", ""},
		"set and empty":         {https, env{"HTTPS_PROXY": "", "https_proxy": ""}, "", "HTTPS_PROXY is not set", ""},
		"only HTTP_PROXY":       {https, env{"HTTP_PROXY": proxyURL}, "", "HTTPS_PROXY is not set", ""},
		"only ALL_PROXY":        {https, env{"ALL_PROXY": proxyURL}, "", "HTTPS_PROXY is not set, and ALL_PROXY is not read", ""},
		"exempt":                {https, env{"HTTPS_PROXY": proxyURL, "NO_PROXY": "example.com, .alipay.com"}, "", "NO_PROXY exempts mapi.alipay.com", ""},
		"exempt, small letters": {https, env{"https_proxy": proxyURL, "no_proxy": "mapi.alipay.com:443"}, "", "no_proxy exempts mapi.alipay.com", ""},
		"everything exempt":     {https, env{"HTTPS_PROXY": proxyURL, "NO_PROXY": "*"}, "", "NO_PROXY exempts mapi.alipay.com", ""},
		"exempt in both":        {https, env{"HTTPS_PROXY": proxyURL, "NO_PROXY": "*", "no_proxy": "alipay.com"}, "", "NO_PROXY exempts mapi.alipay.com", ""},
		"this machine":          {loopback, env{"HTTP_PROXY": proxyURL}, "", "HTTP_PROXY has no effect: no proxy is asked for an address of this machine", ""},
		"this machine, unset":   {loopback, env{}, "", "HTTP_PROXY has no effect: no proxy is asked for an address of this machine", ""},
		"this machine by TLS":   {"https://localhost/gateway.do", env{"https_proxy": proxyURL}, "", "https_proxy has no effect: no proxy is asked for an address of this machine", ""},

		"two proxies":            {https, env{"HTTPS_PROXY": proxyURL, "https_proxy": "http://other.example"}, "", "", "HTTPS_PROXY and https_proxy differ"},
		"one of two is broken":   {https, env{"HTTPS_PROXY": proxyURL, "https_proxy": "://"}, "", "", "https_proxy has no host"},
		"two exemptions":         {https, env{"HTTPS_PROXY": proxyURL, "NO_PROXY": "alipay.com", "no_proxy": "example.com"}, "", "", "NO_PROXY and no_proxy differ about mapi.alipay.com"},
		"broken and exempt":      {https, env{"HTTPS_PROXY": "://" + proxySecret, "NO_PROXY": "*"}, "", "", "HTTPS_PROXY has no host"},
		"broken on this machine": {loopback, env{"http_proxy": "://" + proxySecret}, "", "", "http_proxy has no host"},
	} {
		t.Run(name, func(t *testing.T) {
			checkProxy(t, c.target, c.env, c.url, c.variable, c.fault)
		})
	}
}

func checkProxy(t *testing.T, target string, e env, want, variable, fault string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gateway.ProxyFromEnv(u, e.get)
	if shown := fmt.Sprintf("%v %+v %#v %v", got, got, got, err); strings.Contains(shown, proxySecret) {
		t.Errorf("a secret in %s", shown)
	}
	if fault != "" {
		if err == nil || !strings.HasPrefix(err.Error(), fault) || got.URL != nil {
			t.Errorf("got %v, %v, want %s", got, err, fault)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if want == "" {
		if got.URL != nil || got.String() != variable {
			t.Errorf("got %v, want %s", got, variable)
		}
		return
	}
	if got.URL == nil || got.URL.String() != want || got.Variable != variable || got.Direct != "" {
		t.Errorf("got %v", got)
	}
	// Accepted values mean what they mean to net/http.
	theirs := httpproxy.Config{HTTPSProxy: e[got.Variable], NoProxy: e["NO_PROXY"]}
	if p, err := theirs.ProxyFunc()(u); err != nil || p.String() != got.URL.String() {
		t.Errorf("net/http would take another: %v", err)
	}
}

func TestBadProxiesAreErrors(t *testing.T) {
	const s = proxySecret
	for _, value := range []string{
		" ", "://", "://" + s, "http://", "http:///", "https://", "http://:3128", "http://u:" + s + "@", "http://u:" + s + "@:3128",
		"http//u:" + s + "@proxy.example:3128", "http:/u:" + s + "@proxy.example", "http:u:" + s + "@proxy.example:3128",
		"http://u:" + s + "@proxy.example:port", "http://u:" + s + "@proxy.example:", "http://u:" + s + "@proxy.example:0",
		"http://u:" + s + "@proxy.example:65536", "http://u:" + s + "#1@proxy.example", "http://u:" + s + "/1@proxy.example", "http://u:" + s + "%zz@proxy.example",
		" http://u:" + s + "@proxy.example", "http://u:" + s + "@proxy.example ", "http://u:" + s + "@proxy.example\n", "\"http://u:" + s + "@proxy.example\"",
		"ftp://u:" + s + "@proxy.example", "socks4://u:" + s + "@proxy.example", s + "://proxy.example", "http://proxy.example/" + s, "http://proxy.example?" + s,
		"http://proxy.example#" + s, "http://[::1", "u:" + s + "@", "http://http://u:" + s + "@proxy.example",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			t.Run(name+"="+value, func(t *testing.T) {
				checkProxy(t, gateway.DefaultURL, env{name: value}, "", "", name+" ")
			})
		}
	}
}

func TestNewRefusesABadProxy(t *testing.T) {
	bad := env{"https_proxy": "http//u:" + proxySecret + "@proxy.example:3128"}
	o := gateway.Options{ProxyEnv: bad.get, Partners: []gateway.Partner{{ID: partnerID, Key: md5Key}}}
	_, err := gateway.New(o)
	if err == nil || !strings.Contains(err.Error(), "ProxyEnv: https_proxy ") || strings.Contains(err.Error(), proxySecret) {
		t.Errorf("got %v", err)
	}
	o.ProxyEnv = nil
	for name, value := range bad {
		t.Setenv(name, value)
	}
	if _, err := gateway.New(o); err != nil {
		t.Errorf("the environment counts though nobody asked for it: %v", err)
	}
}

// TestTheProxyIsDialled compares the wire with what the client says about itself.
func TestTheProxyIsDialled(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://nobody-asked.example") // the process's own variable does not count
	errSeen := errors.New("seen")
	for name, c := range map[string]struct {
		lookUp  func(string) string
		address string
		direct  string
	}{
		"off":      {nil, "mapi.alipay.com:443", ""},
		"a proxy":  {env{"https_proxy": "http://proxy.example:3128"}.get, "proxy.example:3128", ""},
		"SOCKS":    {env{"https_proxy": "socks5h://proxy.example:1080"}.get, "proxy.example:1080", ""},
		"exempt":   {env{"HTTPS_PROXY": proxyURL, "NO_PROXY": "alipay.com"}.get, "mapi.alipay.com:443", "exempts mapi.alipay.com"},
		"none set": {env{}.get, "mapi.alipay.com:443", "is not set"},
	} {
		t.Run(name, func(t *testing.T) {
			dialled := make(chan string, 1)
			client := newClient(t, func(o *gateway.Options) {
				o.ProxyEnv = c.lookUp
				o.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
					dialled <- address
					return nil, errSeen
				}
			})
			if p := client.Proxy(); p.Direct != c.direct {
				t.Errorf("it says %v", p)
			}
			if _, _, err := client.Ask(t.Context(), email("signed"), nil); !errors.Is(err, errSeen) {
				t.Fatal(err)
			}
			if address := <-dialled; address != c.address {
				t.Errorf("it dialled %s, want %s", address, c.address)
			}
		})
	}
}
