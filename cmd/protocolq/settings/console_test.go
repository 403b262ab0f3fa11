package settings_test

import (
	"strings"
	"testing"

	"protocolq/cmd/protocolq/settings"
)

func TestConsoleNeedsUsersToBeReached(t *testing.T) {
	for name, tt := range map[string]struct {
		c    settings.Console
		want string
	}{
		"this machine":        {settings.Console{Listen: "127.0.0.1:8470"}, ""},
		"without a host":      {settings.Console{Listen: ":8470"}, ""},
		"IPv6":                {settings.Console{Listen: "[::1]:8470"}, ""},
		"by name":             {settings.Console{Listen: "localhost:8470"}, ""},
		"all addresses":       {settings.Console{Listen: "0.0.0.0:8470"}, "without users the page is only for this machine"},
		"an address":          {settings.Console{Listen: "192.0.2.1:8470"}, "without users"},
		"a name":              {settings.Console{Listen: "example.com:8470"}, "without users"},
		"all, with users":     {settings.Console{Listen: "0.0.0.0:8470", UsersFile: "users.yaml"}, ""},
		"a header of anybody": {settings.Console{Listen: ":8470", ProxyHeader: "X-Forwarded-User"}, "needs console-proxies"},
		"provider, no users":  {settings.Console{Listen: ":8470", Issuer: "https://id.example.com", URL: "https://p.example.com", ClientID: "p"}, "console-users-file"},
		"provider, no URL":    {settings.Console{Listen: ":8470", Issuer: "https://id.example.com", UsersFile: "users.yaml", ClientID: "p"}, "console-url"},
		"provider":            {settings.Console{Listen: ":8470", Issuer: "https://id.example.com", UsersFile: "users.yaml", URL: "https://p.example.com", ClientID: "p"}, ""},
	} {
		err := (&settings.Config{Console: tt.c}).CheckConsole()
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
