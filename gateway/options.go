// The client's settings, and their bounds.

package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"protocolq/gateway/mapi"
)

// DefaultURL is the production gateway (the gateway owner's appendix, table 3-1).
const DefaultURL = "https://mapi.alipay.com/gateway.do"

// knownHosts are the hosts that a signed query may go to: sending it elsewhere is how phishing
// begins.
var knownHosts = []string{
	"mapi.alipay.com",
	"api-eu-global.alipayplus.com", "api-na-global.alipayplus.com", "api-sea-global.alipayplus.com",
}

// Options are the client's settings. The zero value of a field is its default.
type Options struct {
	// URL is the gateway; DefaultURL when empty. https, a known host, path /gateway.do.
	URL string
	// UnsafeHost allows any host, and the scheme http if the host is loopback.
	UnsafeHost bool
	// Partners are the partners to ask for; at least one.
	Partners []Partner
	// AccountParam is the wire name of the account number; "trans_account" when empty.
	AccountParam string
	// Timeout bounds the whole exchange, from the first byte of DNS to the last byte of the body; 8 s
	// when zero. A caller's context may be shorter. Timeout must be longer than a connection rests
	// before its question: 100 ms, or ReuseAfter.
	Timeout time.Duration
	// RetryAfterMax bounds what a Retry-After may ask for; 5 min when zero.
	RetryAfterMax time.Duration
	// RotateEvery bounds the age of the connections that a call may use, so that a change of DNS takes
	// effect; 60 s when zero. For each connection it is shortened at random by up to a fifth.
	RotateEvery time.Duration
	// ReuseAfter lets a connection carry further questions, each after it has been quiet for this
	// long. That time is part of Timeout and must be shorter. Zero, the default: a connection carries
	// one question. One risk remains with reuse: a second answer that comes even later would be taken
	// as the answer to the next question on this connection.
	ReuseAfter time.Duration
	// ProxyEnv is where New looks up HTTPS_PROXY and the like, as [ProxyFromEnv] does; usually
	// os.Getenv. Nil: the gateway is asked without a proxy, whatever is set.
	ProxyEnv func(name string) string
	// RootCAs are trusted instead of the system's, for a gateway of one's own.
	RootCAs *x509.CertPool
	// Dial replaces DNS and TCP, for tests. The connection that it returns is still wrapped in TLS for
	// an https URL.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// RoundTripper replaces the network, for tests. It must not follow redirects.
	RoundTripper http.RoundTripper
	// ReloadEvery is how often Run checks the key files; 5 s when zero.
	ReloadEvery time.Duration
	// KeyChanged is called when a partner's changed key file has become its signing key, by the
	// goroutine that reloads: a slow func delays the check of the next file. Nil: nothing is called.
	KeyChanged func(partner string)
	// Logger logs about key files; nil discards.
	Logger *slog.Logger
}

// Partner is one platform for which queries are signed.
type Partner struct {
	// ID is 2088 and 12 more digits.
	ID string
	// Charset is the charset of its requests; utf-8 when zero.
	Charset mapi.Charset
	// Key signs. When zero it is read from KeyFile as a key of SignType. If KeyFile is a pipe, New
	// waits for its writer.
	Key mapi.Key
	// SignType is needed only if Key is zero.
	SignType mapi.SignType
	// Verifier verifies signed answers. When zero it is the key itself for MD5; for the other types a
	// signed answer then cannot be verified and is rejected.
	Verifier mapi.Verifier
	// KeyFile, when set, is read again when it changes, unless it is a pipe; see [Client.Reload].
	KeyFile string
}

// withDefaults fills in the defaults. It does not change the caller's slices.
func (o Options) withDefaults() Options {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	if o.AccountParam == "" {
		o.AccountParam = "trans_account"
	}
	if o.Timeout == 0 {
		o.Timeout = 8 * time.Second
	}
	if o.RetryAfterMax == 0 {
		o.RetryAfterMax = 5 * time.Minute
	}
	if o.RotateEvery == 0 {
		o.RotateEvery = time.Minute
	}
	if o.ReloadEvery == 0 {
		o.ReloadEvery = 5 * time.Second
	}
	if o.KeyChanged == nil {
		o.KeyChanged = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// check returns all faults of the plain settings at once; the partners check themselves.
func (o Options) check() (*url.URL, error) {
	var faults []error
	u, err := o.parseURL()
	if err != nil {
		faults = append(faults, fmt.Errorf("URL: %w", err))
	}
	if len(o.Partners) == 0 {
		faults = append(faults, errors.New("Partners: there is none"))
	}
	for _, d := range []struct {
		name string
		is   time.Duration
	}{
		{"Timeout", o.Timeout}, {"RetryAfterMax", o.RetryAfterMax}, {"RotateEvery", o.RotateEvery},
		{"ReloadEvery", o.ReloadEvery}, {"ReuseAfter", o.ReuseAfter},
	} {
		if d.is < 0 {
			faults = append(faults, fmt.Errorf("%s: %s is negative", d.name, d.is))
		}
	}
	if o.RoundTripper == nil && o.Timeout >= 0 && o.rest() >= o.Timeout {
		faults = append(faults,
			fmt.Errorf("Timeout: %s is over before a connection has rested for %s; make it longer, or ReuseAfter "+
				"shorter", o.Timeout, o.rest()))
	}
	reserved := []string{"service", "partner", "_input_charset", "sign", "sign_type", "biz_type", "user_email"}
	if slices.Contains(reserved, o.AccountParam) {
		faults = append(faults, fmt.Errorf("AccountParam: %s is another parameter's name", o.AccountParam))
	} else if _, err := (mapi.Params{{Name: o.AccountParam, Value: "1"}}).StringToSign(); err != nil {
		faults = append(faults, fmt.Errorf("AccountParam: %w", err))
	}
	return u, errors.Join(faults...)
}

// rest is how long a connection must have been quiet before its question.
func (o Options) rest() time.Duration {
	if o.ReuseAfter > 0 {
		return o.ReuseAfter
	}
	return defaultRest
}

// proxy asks the environment for the proxy for u, which is nil if it could not be parsed.
func (o Options) proxy(u *url.URL) (Proxy, error) {
	if o.ProxyEnv == nil || u == nil {
		return Proxy{}, nil
	}
	p, err := ProxyFromEnv(u, o.ProxyEnv)
	if err != nil {
		return Proxy{}, fmt.Errorf("ProxyEnv: %w", err)
	}
	return p, nil
}

func (o Options) parseURL() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("not a URL") // url's own error repeats it, with any password in it
	}
	var faults []error
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		faults = append(faults, errors.New("only scheme, host and path are allowed"))
	}
	if u.Path != "/gateway.do" {
		faults = append(faults, errors.New("the path must be /gateway.do"))
	}
	switch {
	case u.Hostname() == "":
		faults = append(faults, errors.New("there is no host"))
	case !o.UnsafeHost && !(slices.Contains(knownHosts, u.Hostname()) && (u.Port() == "" || u.Port() == "443")):
		faults = append(faults,
			fmt.Errorf("%s is not one of the gateway's own hosts; another must be allowed as unsafe", u.Host))
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && o.UnsafeHost && loopbackHost(u.Hostname()):
	case u.Scheme == "http":
		faults = append(faults, errors.New("http is only for a loopback address that is allowed as unsafe; use https"))
	default:
		faults = append(faults, errors.New("the scheme must be https"))
	}
	return u, errors.Join(faults...)
}

func loopbackHost(host string) bool {
	if host == "localhost" {
		return true // its address is checked again on the connection
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
