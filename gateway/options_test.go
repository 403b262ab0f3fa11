// The bounds of the settings.

package gateway_test

import (
	"strings"
	"testing"
	"time"

	"protocolq/gateway"
)

func TestURLIsHeldToTheGateway(t *testing.T) {
	for url, c := range map[string]struct {
		unsafe bool
		ok     bool
	}{
		"":                                       {false, true},
		"https://mapi.alipay.com/gateway.do":     {false, true},
		"https://mapi.alipay.com:443/gateway.do": {false, true},
		"https://api-eu-global.alipayplus.com/gateway.do":   {false, true},
		"https://api-xx-global.alipayplus.com/gateway.do":   {false, false},
		"https://mapi.alipay.com.example.com/gateway.do":    {false, false},
		"https://mapi.alipay.com:8443/gateway.do":           {false, false},
		"https://mapi.alipay.com@example.com/gateway.do":    {false, false},
		"https://user:hunter2@mapi.alipay.com/gateway.do":   {true, false},
		"https://mapi.alipay.com/":                          {true, false},
		"https://mapi.alipay.com/gateway.do?x=1":            {true, false},
		"https://mapi.alipay.com/gateway.do#x":              {true, false},
		"http://mapi.alipay.com/gateway.do":                 {true, false},
		"ftp://127.0.0.1/gateway.do":                        {true, false},
		"https:///gateway.do":                               {true, false},
		"://":                                               {true, false},
		"https://example.com/gateway.do":                    {true, true},
		"http://127.0.0.1:8080/gateway.do":                  {true, true},
		"http://[::1]:8080/gateway.do":                      {true, true},
		"http://localhost:8080/gateway.do":                  {true, true},
		"http://127.0.0.1:8080/gateway.do ":                 {true, false},
		"http://localhost.example.com/gateway.do":           {true, false},
		"http://192.0.2.1/gateway.do":                       {true, false},
		"http://127.0.0.1/gateway.do":                       {false, false},
		"https://mapi.alipay.com/gateway.do/../x":           {false, false},
		"https://mapi.alipay.com%2f@example.com/gateway.do": {false, false},
		"https://mapi.alipay.com\\.example.com/gateway.do":  {false, false},
		"https://MAPI.alipay.com/gateway.do":                {false, false},
	} {
		_, err := gateway.New(gateway.Options{
			URL: url, UnsafeHost: c.unsafe, Partners: []gateway.Partner{{ID: partnerID, Key: md5Key}},
		})
		if (err == nil) != c.ok {
			t.Errorf("%q (unsafe %v): %v", url, c.unsafe, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a password in %v", err)
		}
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	_, err := gateway.New(gateway.Options{
		URL:           "http://example.com/",
		AccountParam:  "sign",
		Timeout:       -time.Second,
		RotateEvery:   -time.Second,
		RetryAfterMax: -time.Second,
		Partners: []gateway.Partner{
			{ID: "12", Key: md5Key}, {ID: partnerID}, {ID: "2088101568353492", Key: md5Key},
			{ID: "2088101568353492", Key: md5Key}, {ID: "2088101568353493", KeyFile: "x"},
			{ID: "2088101568353494", SignType: "MD5", KeyFile: "/does/not/exist"},
			{ID: "2088101568353495", Key: md5Key, SignType: "RSA"},
		},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{
		"URL: ", "the path", "one of the gateway's own hosts", "https", "AccountParam", "Timeout", "RotateEvery", "RetryAfterMax",
		"ID must be 16 digits that begin with 2088", "neither Key nor KeyFile", "given twice", "without SignType", "read key file", "SignType is RSA",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in:\n%v", part, err)
		}
	}
	if _, err := gateway.New(gateway.Options{ReuseAfter: -1}); err == nil || !strings.Contains(err.Error(), "ReuseAfter: -1ns is negative") {
		t.Errorf("negative rest: %v", err)
	}
	if _, err := gateway.New(gateway.Options{}); err == nil || !strings.Contains(err.Error(), "Partners: there is none") {
		t.Errorf("no partners: %v", err)
	}
}

// A call whose time is over before its connection has rested could never get an answer.
func TestTimeoutLeavesTimeForTheQuestion(t *testing.T) {
	for _, c := range []struct {
		timeout, reuse time.Duration
		ok             bool
	}{
		{0, 0, true}, {100 * time.Millisecond, 0, false}, {101 * time.Millisecond, 0, true}, {100 * time.Millisecond, time.Millisecond, true},
		{0, 8 * time.Second, false}, {0, 7 * time.Second, true}, {time.Second, time.Second, false},
	} {
		_, err := gateway.New(gateway.Options{Timeout: c.timeout, ReuseAfter: c.reuse, Partners: []gateway.Partner{{ID: partnerID, Key: md5Key}}})
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "make it longer, or ReuseAfter shorter") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
