// Keys read from files: every fault names its setting, and none shows what a file holds.

package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPartners(t *testing.T) {
	const secret = "0123456789abcdefghijklmnopqrstuv"
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, short, absent := file("good", secret+"\n"), file("short", secret[:31]), filepath.Join(dir, "absent")
	large := file("large", strings.Repeat(secret, 4096))
	for name, test := range map[string]struct {
		config Config
		want   []string // the faults; nil: one partner is loaded
	}{
		"one":       {Config{Partner: "2088000000000001", SignType: "MD5", Charset: "gbk", KeyFile: good}, nil},
		"absent":    {Config{Partner: "2088000000000001", SignType: "MD5", Charset: "gbk", KeyFile: absent}, []string{"key-file: partner 2088000000000001: read key file: open "}},
		"short":     {Config{Partner: "2088000000000001", SignType: "MD5", Charset: "gbk", KeyFile: short}, []string{"key-file: partner 2088000000000001: key file "}},
		"large":     {Config{Partner: "2088000000000001", SignType: "MD5", Charset: "gbk", KeyFile: large}, []string{"larger than 65536 bytes"}},
		"no PEM":    {Config{Partner: "2088000000000001", SignType: "RSA", Charset: "gbk", KeyFile: good, AlipayPublicKeyFile: good}, []string{"key-file: ", "alipay-public-key-file: "}},
		"the key":   {Config{Partner: "2088000000000001", SignType: "MD5", Charset: "gbk", KeyFile: secret}, []string{"looks like a key itself"}},
		"both ways": {Config{Partner: "2088000000000001", SignType: "MD5", Charset: "gbk", KeyFile: good, Partners: []PartnerConfig{{ID: "2088000000000001", KeyFile: good}}}, []string{"partners: partner 2088000000000001 is also given by partner and key-file"}},
		"two bad": {Config{Partners: []PartnerConfig{{ID: "2088000000000001", SignType: "MD6", Charset: "utf-8", KeyFile: good}, {ID: "2088000000000002", SignType: "MD5", Charset: "latin-1", KeyFile: absent}}},
			[]string{"partner 2088000000000001: ", "partner 2088000000000002: ", "latin-1", "read key file"}},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := test.config.LoadPartners()
			if len(test.want) == 0 && (err != nil || len(list) != 1) {
				t.Fatalf("%v, %d partners", err, len(list))
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %s", err, want)
				}
			}
			if text := fmt.Sprintf("%v %+v %#v", err, list, list); strings.Contains(text, secret[:8]) {
				t.Errorf("the key is shown: %s", text)
			}
		})
	}
}

func TestDefaultPartnerComesFirst(t *testing.T) {
	dir := t.TempDir()
	c := Config{Partner: PracticeSet[1].ID, SignType: "MD5", Charset: "utf-8"}
	for _, p := range PracticeSet {
		if err := os.WriteFile(filepath.Join(dir, p.ID+".key"), []byte(p.Key), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Partners = append(c.Partners, PartnerConfig{ID: p.ID, SignType: "MD5", Charset: p.Charset, KeyFile: filepath.Join(dir, p.ID+".key")})
	}
	list, err := c.LoadPartners()
	if err != nil || len(list) != 2 || list[0].ID != PracticeSet[1].ID || list[0].Charset.String() != "gbk" {
		t.Errorf("%v, %v", list, err)
	}
}
