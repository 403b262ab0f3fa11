// What a worker logs about a proxy on the way to the gateway.

package settings

import (
	"bytes"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"protocolq/gateway"
)

func TestWarnNoProxy(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	WarnNoProxy(log, gateway.Proxy{})
	WarnNoProxy(log, gateway.Proxy{URL: &url.URL{Scheme: "http", Host: "proxy.example"}, Variable: "HTTPS_PROXY"})
	if out.Len() > 0 {
		t.Errorf("off, or through a proxy: %s", &out)
	}
	WarnNoProxy(log, gateway.Proxy{Variable: "no_proxy", Direct: "exempts mapi.alipay.com"})
	said := out.String()
	if !strings.Contains(said, `"level":"WARN"`) || !strings.Contains(said, `"variable":"no_proxy","why":"no_proxy exempts mapi.alipay.com"`) {
		t.Errorf("said %s", said)
	}
}
