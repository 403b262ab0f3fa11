// The gateway: whether its name resolves, it is reached, and its certificate stays valid for a
// while.

package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"time"

	"protocolq/gateway"
)

// leastDays is how long a certificate must still be valid, because renewing it takes some time.
const leastDays = 14

// checkGateway looks at the way to the gateway without asking it anything.
func checkGateway(ctx context.Context, o *Options) []Check {
	u, err := url.Parse(o.Config.GatewayURL)
	if err != nil || u.Hostname() == "" {
		return nil // a fault of the settings
	}
	if proxied(o) {
		return []Check{skipped("gateway.dns", "the proxy looks the name up"),
			skipped("gateway.tls", "the way is through a proxy: --live asks the gateway")}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil {
		return []Check{fault("gateway.dns", err.Error(),
			"check gateway-url and this machine's resolver (/etc/resolv.conf)")}
	}
	list := []Check{well("gateway.dns", "%d addresses of %s", len(addresses), u.Hostname())}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	began := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return append(list, fault("gateway.connect", err.Error(),
			"let this machine reach "+u.Hostname()+":"+port+" through firewalls, or set gateway-proxy-from-env and "+
				"HTTPS_PROXY"))
	}
	defer conn.Close()
	list = append(list, well("gateway.connect", "in %s", time.Since(began).Round(time.Millisecond)))
	if u.Scheme != "https" {
		return append(list, skipped("gateway.tls", "the gateway is a practice one: no TLS"))
	}
	return append(list, checkTLS(ctx, conn, u.Hostname(), nil, time.Now()))
}

// checkTLS makes a TLS handshake and checks the chain, by roots or, if nil, by the system's.
func checkTLS(ctx context.Context, conn net.Conn, host string, roots *x509.CertPool, now time.Time) Check {
	c := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err := c.HandshakeContext(ctx); err != nil {
		return fault("gateway.tls", err.Error(),
			"check this machine's clock and trusted authorities (ca-certificates), gateway-url, and whether a proxy "+
				"on the way breaks TLS open")
	}
	state := c.ConnectionState()
	soonest := state.PeerCertificates[0]
	for _, chain := range state.VerifiedChains[:1] {
		for _, cert := range chain {
			if cert.NotAfter.Before(soonest.NotAfter) {
				soonest = cert
			}
		}
	}
	days := int(soonest.NotAfter.Sub(now).Hours() / 24)
	detail := fmt.Sprintf("%s, the chain of %s lasts %d days", tls.VersionName(state.Version), host, days)
	if days < leastDays {
		return fault("gateway.tls", detail+", until "+soonest.NotAfter.UTC().Format(time.DateOnly),
			"have whoever runs it (Alipay, or who breaks TLS open on the way) renew the certificate of "+
				soonest.Subject.CommonName)
	}
	return well("gateway.tls", "%s", detail)
}

// proxied reports whether calls go through a proxy.
func proxied(o *Options) bool {
	client, err := gateway.New(gateway.Options{URL: o.Config.GatewayURL, UnsafeHost: o.Config.UnsafeGateway,
		ProxyEnv: o.Config.ProxyEnv(), Partners: o.Partners})
	if err != nil {
		return false
	}
	defer client.Close()
	return client.Proxy().URL != nil
}

// checkLive makes one real call for each partner.
func checkLive(ctx context.Context, o *Options) (list []Check) {
	client, err := gateway.New(gateway.Options{URL: o.Config.GatewayURL, UnsafeHost: o.Config.UnsafeGateway,
		ProxyEnv:     o.Config.ProxyEnv(),
		AccountParam: o.Config.AccountParam, Timeout: o.Config.CallTimeout, Partners: o.Partners})
	if err != nil {
		return []Check{fault("live", err.Error(), "correct the settings of the gateway")}
	}
	defer client.Close()
	for _, p := range o.Partners {
		began := time.Now()
		a, _, err := client.Ask(ctx, gateway.Query{Partner: p.ID, UserEmail: o.Email, AccountNo: o.Account(p.ID)}, nil)
		switch {
		case err != nil:
			list = append(list, fault("live", "partner "+p.ID+": "+err.Error(),
				"protocolq explain says what the code means; protocolq call -v shows the wire"))
		default:
			list = append(list, well("live", "partner %s is answered in %s (%s)", p.ID,
				time.Since(began).Round(time.Millisecond), a.Status))
		}
	}
	return list
}
