// What the reader types, what the address then holds, and what is read back from it.

package queries

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/querylog"
)

var now = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

func hasher(t *testing.T) *querylog.Hasher {
	t.Helper()
	h, err := querylog.NewHasher([]byte(strings.Repeat("0123456789abcdef", 4) + "\n" + strings.Repeat("fedcba9876543210", 4)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The address holds no personal data that was typed, and it finds the same queries.
func TestTypedGoesIntoTheAddress(t *testing.T) {
	h := hasher(t)
	for _, c := range []struct{ kind, text, partner, somebody, fault string }{
		{"auto", " Canary.Holder@example.com ", "", "email", ""},
		{"auto", "13812345678", "", "email", ""},
		{"auto", "2088777766665555", "", "account", ""},
		{"email", "canary", "", "email", ""},
		{"account", "777766665555", "", "account", ""},
		{"key", "canary-key", "2088000000000001", "key", ""},
		{"key", "canary-key", "", "", faultKeyPartner},
		{"auto", "booking-4711", "", "id", ""},
		{"id", "canary@example.com", "", "id", ""},
		{"odd", "canary", "", "", faultFilter},
		{"auto", "  ", "", "", ""},
	} {
		f := Filter{}
		f.Partner = c.partner
		if fault := f.typed(c.kind, c.text, h); fault != c.fault || f.Somebody() != c.somebody {
			t.Errorf("%s %q: fault %q, looks for %q", c.kind, c.text, fault, f.Somebody())
			continue
		}
		address := f.Values().Encode()
		for _, word := range []string{"canary", "anary", "777766", "13812345678"} {
			if strings.Contains(address, word) {
				t.Errorf("%s: %q is in the address %s", c.text, word, address)
			}
		}
		v, err := url.ParseQuery(address)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parse(v, now)
		if d := cmp.Diff(f, back); err != nil || d != "" {
			t.Errorf("%s %q: %v %s", c.kind, c.text, err, d)
		}
	}
	if fault := (&Filter{}).typed("auto", "a@example.com", nil); fault != faultNoKey {
		t.Errorf("without the log's key: %q", fault)
	}
}

func TestAddress(t *testing.T) {
	for address, ok := range map[string]bool{
		"": true, "outcome=unknown&span=24h": true, "slow=2s&partner=2088000000000001": true, "since=2026-11-01&until=2026-11-02": true,
		"outcome=maybe": false, "span=3y": false, "slow=0s": false, "slow=fast": false, "partner=me": false, "email=00": false,
		"email=" + strings.Repeat("0f", 16): true, "email=" + strings.Repeat("0f", 17): false, "email=" + strings.Repeat("zz", 16): false,
		"since=2026-11-02&until=2026-11-01": false, "code=a&code=b": false, "code=" + strings.Repeat("x", 700): false,
		"email=" + strings.Repeat(strings.Repeat("0f", 16)+",", 20): false,
	} {
		v, err := url.ParseQuery(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(v, now); (err == nil) != ok {
			t.Errorf("%.60s: %v", address, err)
		}
	}
	f, err := parse(url.Values{"span": {"24h"}}, now)
	if err != nil || !f.Filter.Since.Equal(now.Add(-24*time.Hour)) {
		t.Errorf("a day: %v %v", f.Filter.Since, err)
	}
}
