//go:build unix

// Tests of the search for what must not be seen.

package testbed

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

func TestTheHuntFinds(t *testing.T) {
	const secret = "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3y"
	saw := &verdict.Evidence{Asks: map[string]*verdict.Ask{"a": {Email: EmailOf("signed", "7")}}}
	h := t.TempDir()
	write(t, h+"/"+verdict.Partner+".key", secret+"\n")
	f, err := newHunt(&Bed{Dir: h}, saw)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{
		"sign with " + secret, strings.ToUpper(secret), base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(EmailOf("signed", "7")),
		"who=signed%2B%63anaryperson7%40", "account " + canaryAccount + "00000001", "key " + messages.Query{Partner: verdict.Partner, UserEmail: EmailOf("signed", "7")}.KeyToken(),
	} {
		if f.first([]byte("0123 "+hidden+" 456%")) == "" {
			t.Errorf("not found in %q", hidden)
		}
	}
	if found := f.first([]byte("s***@c***.example 2088000000000001 aaaaaaaaaaaaaaaaaaaaaaaaaa %zz")); found != "" {
		t.Errorf("found %s where there is nothing", found)
	}
	saw.Leaks = []string{"worker-1 shows it"}
	if v := verdict.Judge(saw, verdict.Bounds{}); !strings.Contains(fmt.Sprint(v.Broken), "a secret or a person") {
		t.Errorf("a leak breaks nothing: %v", v.Broken)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
