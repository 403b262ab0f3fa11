// The authority that is trusted for NATS is not trusted for the gateway.

package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// A gateway whose certificate is issued by the private authority of NATS is not trusted, and
// receives no request.
func TestAuthorityOfNATSIsNotTheGateways(t *testing.T) {
	a := clitest.NewAuthority(t)
	cert, key := a.Issue("gateway")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Bool
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	web.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	web.StartTLS()
	defer web.Close()
	cfg, fs := &settings.Config{}, pflag.NewFlagSet("test", pflag.ContinueOnError)
	set := settings.New(cfg)
	set.AddFlags(fs)
	err = fs.Parse([]string{"--nats-ca-file", a.File, "--gateway-url", web.URL + "/gateway.do", "--unsafe-gateway", "--call-timeout", "30s"})
	if err == nil {
		err = set.Load(fs)
	}
	if err != nil {
		t.Fatal(err)
	}
	signing, err := mapi.ParseKey(mapi.MD5, []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	const partner = "2088000000000001"
	client, err := gateway.New(gatewayOptions(cfg, []gateway.Partner{{ID: partner, Key: signing}}, cli.NewLogger(t.Output(), 0, "text")))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, _, err = client.Ask(t.Context(), gateway.Query{Partner: partner, UserEmail: "a@example.com"}, nil)
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown || asked.Load() {
		t.Errorf("the gateway was asked: %v, %v", asked.Load(), err)
	}
}
