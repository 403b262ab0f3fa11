// Hashers: the same person has the same look-up id, and the key is never shown.

package querylog_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"protocolq/messages"
	"protocolq/worker/querylog"
)

// Spellings of an e-mail that mean the same have one look-up id, and others have another.
func TestEmailIsNormalisedAsTheKeyIs(t *testing.T) {
	h := hasher(t)
	spellings := []string{"a@b.example", "A@B.Example", " a@b.example ", "Ä@b.example", "ä@b.example", "\ta@b.example", "a@b.example2", "Straße@b.cn", "STRASSE@b.cn"}
	for _, one := range spellings {
		for _, other := range spellings {
			key := messages.Query{Partner: "p", UserEmail: one}.KeyToken() == messages.Query{Partner: "p", UserEmail: other}.KeyToken()
			if found := h.Email(one).LookUp() == h.Email(other).LookUp(); found != key {
				t.Errorf("%q and %q: same question %v, same look-up id %v", one, other, key, found)
			}
		}
	}
}

func TestLookUpIDs(t *testing.T) {
	h := hasher(t)
	seen := map[querylog.LookUp]string{}
	for name, m := range map[string]querylog.Masked{"email": h.Email("x"), "account": h.Account("x"), "key": h.Key("x")} {
		if other, twice := seen[m.LookUp()]; twice {
			t.Errorf("%s and %s have the same look-up id", name, other)
		}
		seen[m.LookUp()] = name
		if m.Version() != h.Version() || len(h.Version()) != 8 {
			t.Errorf("%s: version %q of %q", name, m.Version(), h.Version())
		}
	}
	if !h.Email("").IsZero() || !h.Account("").IsZero() || h.Email("").LookUp().String() != "" || h.Emails("") != nil {
		t.Error("an empty field has something")
	}
	if s := fmt.Sprint(h.Email("alice@mail.example.com"), h.Account("2088123412341234"), h.Key("token")); s != "a***@m***.com 2088****1234 " {
		t.Errorf("masks %q", s)
	}
}

// A replaced key still finds what it hashed.
func TestOlderKeys(t *testing.T) {
	one, two := strings.Repeat("11", 32), strings.Repeat("22", 40)
	before, err := querylog.NewHasher([]byte(one + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	after, err := querylog.NewHasher([]byte(two + "\n" + one + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if before.Version() == after.Version() || after.Email("a").LookUp() == before.Email("a").LookUp() {
		t.Error("a new key changes nothing")
	}
	if ids := after.Emails("a"); len(ids) != 2 || ids[0] != after.Email("a").LookUp() || ids[1] != before.Email("a").LookUp() {
		t.Errorf("ids %v", ids)
	}
	if ids := after.Requests("a@b.c"); len(ids) != 2 || ids[0] != after.Request("a@b.c").String() || ids[1] != before.Request("a@b.c").String() {
		t.Errorf("request ids %v", ids)
	}
}

func TestKeyFiles(t *testing.T) {
	key := strings.Repeat("ab", 32)
	var wide strings.Builder
	for _, c := range key + "\r\n" {
		wide.WriteString(string(c) + "\x00")
	}
	for name, c := range map[string]struct {
		content string
		fault   string
	}{
		"hex":                      {key, ""},
		"hex, CRLF":                {key + "\r\n", ""},
		"two":                      {key + "\n" + key + "\n", ""},
		"raw":                      {strings.Repeat("\x01z", 20), ""},
		"text":                     {"a passphrase of forty characters or so ...", ""},
		"a mark before text":       {"\uFEFFa passphrase of forty characters or so ...", ""},
		"short":                    {"s3cret", "holds 6 bytes"},
		"empty":                    {"", "holds 0 bytes"},
		"blank":                    {strings.Repeat(" \n", 40), "holds 0 bytes"},
		"half hex":                 {strings.Repeat("ab", 16), ""},
		"hex behind a mark":        {"\uFEFF" + key + "\n", "save it as plain text"},
		"hex in quotes":            {"\"" + key + "\"\n", "save it as plain text"},
		"hex in UTF-16":            {"\xFF\xFE" + wide.String(), "save it as plain text"},
		"hex in UTF-16, no mark":   {wide.String(), "save it as plain text"},
		"hex, the second in quote": {key + "\n'" + key + "'\n", "save it as plain text"},
	} {
		_, err := querylog.NewHasher([]byte(c.content))
		switch {
		case c.fault == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "abab")):
			t.Errorf("%s: error %v, want %s", name, err, c.fault)
		}
	}
}

func TestHasherIsRedacted(t *testing.T) {
	const secret = "canary canary canary canary canary canary"
	h, err := querylog.NewHasher([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "hasher", h)
	data, err := json.Marshal(map[string]any{"h": h})
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(data) + fmt.Sprintf("%v %+v %#v %s %d %x", h, h, h, h, h, h)
	if strings.Contains(all, "canary") || strings.Contains(all, "63616e617279") || strings.Count(all, "[redacted]") != 8 {
		t.Error(all)
	}
}

func TestRequestIDs(t *testing.T) {
	h := hasher(t)
	for id, shown := range map[string]bool{
		"booking-1": true, "20261123-000123": true, "": true, "nuid0123456789ABCDEFGH": true, "MU5101 13:00": true, "2026112300012": true,
		"alice@example.com": false, "alice%40example.com": false, "alice＠example.com": false, "ask 20881234567812345678": false,
		"13800138000": false, "call 13800138000 back": false, "+4915112345": false, "2088000000000001": false,
	} {
		got := h.Request(id).String()
		if (got == id) != shown {
			t.Errorf("%q is written as %q", id, got)
		}
		if got != h.Requests(id)[0] {
			t.Errorf("%q is written as %q and looked up as %q", id, got, h.Requests(id))
		}
	}
	if got := (*querylog.Hasher)(nil).Requests("booking-1"); len(got) != 1 || got[0] != "booking-1" {
		t.Errorf("without a key %q", got)
	}
}
