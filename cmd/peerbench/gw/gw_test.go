package gw_test

import (
	"net/url"
	"testing"

	"protocolq/cmd/peerbench/gw"
)

// The sum was made with md5sum.
func TestSign(t *testing.T) {
	p := url.Values{"service": {"query_customer_protocol"}, "partner": {"2088000000000001"}, "empty": {""}, "sign": {"x"}, "sign_type": {"MD5"}, "a": {"ü &="}}
	const want = "47649554a989cb7340ec0879ac57d3e0"
	if got := gw.Sign(p, "key"); got != want {
		t.Errorf("sign %s, want %s", got, want)
	}
	p.Set("a", "b")
	if gw.Sign(p, "key") == want {
		t.Error("another value, the same sign")
	}
}
