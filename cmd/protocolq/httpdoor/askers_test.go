// The askers' file, and the tokens in it.

package httpdoor

import (
	"strings"
	"testing"
)

func TestParseAskers(t *testing.T) {
	hash := hashOf("x").String()
	one := "askers:\n- name: shop\n  partners: ['2088000000000001']\n  tokens: ['" + hash + "']\n"
	for _, tt := range []struct{ name, file, fault string }{
		{"one", one, ""},
		{"with bounds", one + "  rate: 5\n  burst: 50\n  waiting: 2\n", ""},
		{"empty", "", "0 askers"},
		{"no YAML", "askers: [", "yaml"},
		{"a field that is none", one + "  rat: 5\n", "rat"},
		{"a second document", one + "---\n" + strings.Replace(one, "shop", "till", 1), "one document"},
		{"rate", one + "  rate: -1\n", "rate must be"},
		{"waiting", one + "  waiting: 1000000\n", "waiting must be"},
		{"twice", one + one[len("askers:\n"):], "shop\" appears twice"},
		{"one token for two", one + strings.Replace(one[len("askers:\n"):], "shop", "till", 1), "token that appears twice"},
		{"name", strings.Replace(one, "shop", "my shop", 1), "name must be"},
		{"the page's name", strings.Replace(one, "shop", "console", 1), "console\"): name is the fleet's own"},
		{"the user's name who backs up", strings.Replace(one, "shop", "Backup", 1), "Backup\"): name is the fleet's own"},
		{"no partner", strings.Replace(one, "'2088000000000001'", "", 1), "partners is needed"},
		{"partner", strings.Replace(one, "2088000000000001", "1", 1), "partner \"1\""},
		{"no token", strings.Replace(one, "'"+hash+"'", "", 1), "tokens is needed"},
		{"hash", strings.Replace(one, "sha256:", "sha256:0", 1), "sha256: and 64 hex digits"},
		{"digits", strings.Replace(one, hash[len(hash)-2:], "zz", 1), "sha256: and 64 hex digits"},
	} {
		got, err := parseAskers([]byte(tt.file))
		switch {
		case tt.fault == "" && (err != nil || len(got) != 1 || len(got[0].hashes) != 1 || got[0].hashes[0] != hashOf("x")):
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)):
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	got, err := parseAskers([]byte(one))
	if err != nil || got[0].Rate != defaultRate || got[0].Burst != defaultRate || got[0].Waiting != defaultWaiting {
		t.Errorf("%+v, %v", got, err)
	}
}

// A token that stands where its hash belongs is shown in no error.
func TestTokenIsNotShown(t *testing.T) {
	token := newToken()
	_, err := parseAskers([]byte("askers:\n- name: shop\n  partners: ['2088000000000001']\n  tokens: ['" + token + "']\n"))
	if err == nil || strings.Contains(err.Error(), token) {
		t.Error(err)
	}
	if len(token) != tokenLength || token == newToken() {
		t.Error(token)
	}
	if h, err := parseHash(hashOf(token).String()); err != nil || h != hashOf(token) {
		t.Error(h, err)
	}
}
