// What alert targets are sent, to the byte, and which of their answers count as success.

package alert

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"protocolq/worker/ops"
)

var update = flag.Bool("update", false, "write the golden requests anew")

// The vectors were made with openssl: printf '%s\n%s' TIME SECRET | openssl dgst -sha256 -hmac
// SECRET -binary | base64.
func TestSigns(t *testing.T) {
	const secret = "SEC0123456789abcdef"
	for got, want := range map[string]string{
		signDingTalk(secret, "1764400000000"):     "ZrQrY44VmWTnPQmS1sqyTQwfXhpFNB5sSmvP6JvOJhs=",
		signFeishu(secret, "1764400000"):          "frKr5JdJJcy8l/+c/bvZCt1MyEWHUyq4skHUjzg2Y3M=",
		signGeneric(secret, []byte(`{"a":1}`)):    "sha256=92f03a299e69ad551339fe42128edd519bfe349ec0aa52662826581e339e1df8",
		signDingTalk("SECother", "1764400000000"): "G170lPDhQnVm4LWZMJgJ0cdWrzxoyajHsr8socv7M2E=",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func alertNamed(t *testing.T, name string) *ops.Alert {
	t.Helper()
	a := ops.AlertOf(name)
	if a.Do == "" {
		t.Fatalf("no alert %s", name)
	}
	return &a
}

func TestRequests(t *testing.T) {
	now := time.Unix(1764400000, 0).UTC()
	n := notice{prefix: "protocol",
		firing:   []ops.Problem{{Alert: alertNamed(t, "ProtocolqPartnerHalted"), Label: "2088000000000001", Value: 1, Since: now.Add(-time.Minute)}},
		resolved: []resolved{{*alertNamed(t, "ProtocolqStreamFilling"), "ProtocolqStreamFilling LOG", now.Add(-time.Hour)}}}
	targets, err := ParseTargets([]byte(`
# ours
dingtalk https://oapi.dingtalk.com/robot/send?access_token=abc SEC0123456789abcdef
wecom    https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc
feishu   https://open.feishu.cn/open-apis/bot/v2/hook/abc SEC0123456789abcdef
generic  https://hooks.example.com/x SEC0123456789abcdef
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range targets {
		r, err := target.request(t.Context(), n, now)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		got := fmt.Sprintf("%s %s\n%s\n%s\n", r.Method, r.URL, r.Header, body)
		path := filepath.Join("testdata", string(target.kind)+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || got != string(want) {
			t.Errorf("%s:\n%s, want\n%s, %v", target, got, want, err)
		}
		if shown := fmt.Sprintf("%v %+v %#v", target, target, target); strings.Contains(shown, "abc") || strings.Contains(shown, "SEC") {
			t.Errorf("a target is shown as %s", shown)
		}
	}
}

// Where there is a page in the browser, each alert links to where the page shows what it is
// about.
func TestAlertsNameThePage(t *testing.T) {
	now := time.Unix(1764400000, 0).UTC()
	n := notice{prefix: "protocol", page: func(path string) string { return "https://protocolq.example.com" + path }}
	for name, want := range map[string]string{"ProtocolqPartnerHalted": "/controls", "ProtocolqDeadLetters": "/letters", "ProtocolqNoWorker": "/fleet"} {
		n.firing = []ops.Problem{{Alert: alertNamed(t, name), Since: now}}
		if text := n.text(); !strings.HasSuffix(text, "\nhttps://protocolq.example.com"+want) {
			t.Errorf("%s", text)
		}
		body, err := json.Marshal(n.webhook(now))
		if err != nil || !strings.Contains(string(body), `"generatorURL":"https://protocolq.example.com`+want+`"`) || !strings.Contains(string(body), `"externalURL":"https://protocolq.example.com"`) {
			t.Errorf("%s %v", body, err)
		}
	}
	for name := range pages {
		alertNamed(t, name)
	}
}

func TestTextIsBounded(t *testing.T) {
	var n notice
	for i := range 100 {
		n.firing = append(n.firing, ops.Problem{Alert: &ops.Alert{Summary: strings.Repeat("停", 100), Name: fmt.Sprint(i)}})
	}
	if s := n.text(); len(s) > mostText || !utf8.ValidString(s) {
		t.Errorf("%d bytes, valid %v", len(s), utf8.ValidString(s))
	}
	if n.firing = n.firing[:mostLines+5]; true {
		for i := range n.firing {
			n.firing[i].Alert = &ops.Alert{Name: "a"}
		}
		if s := n.text(); !strings.HasSuffix(s, "and 6 more") {
			t.Errorf("ends with %q", s[max(0, len(s)-40):])
		}
	}
}

func TestTook(t *testing.T) {
	for _, c := range []struct {
		kind   kind
		status int
		body   string
		fault  string
	}{
		{dingTalk, 200, `{"errcode":0,"errmsg":"ok"}`, ""},
		{dingTalk, 200, `{"errcode":310000,"errmsg":"sign not match"}`, "refused with code 310000"},
		{weCom, 200, `{"errcode":45009,"errmsg":"api freq out of limit"}`, "45009"},
		{feishu, 200, `{"code":0,"msg":"success","StatusCode":0}`, ""},
		{feishu, 200, `{"code":19021,"msg":"sign match fail"}`, "19021"},
		{feishu, 200, `{}`, "has no code"},
		{weCom, 200, `<html>`, "not JSON"},
		{generic, 204, ``, ""},
		{generic, 307, ``, "307"},
		{dingTalk, 500, `{"errcode":0}`, "500"},
	} {
		err := Target{kind: c.kind}.took(c.status, []byte(c.body))
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s %d %s: %v", c.kind, c.status, c.body, err)
		}
	}
}

func TestParseTargets(t *testing.T) {
	for file, fault := range map[string]string{
		"":                              "names no webhook",
		"# nothing\n":                   "names no webhook",
		"slack https://h/s3cret":        "line 1: does not begin with a kind",
		"generic":                       "line 1: must be a kind, a URL",
		"\ngeneric s3cret":              "line 2: must have an https URL",
		"generic http://h/s3cret":       "http only to this machine",
		"generic http://127.h/s3cret":   "http only to this machine",
		"wecom https://h/ s3cret":       "no secret",
		"generic https://h/%zz-s3cret":  "https URL",
		"generic http://127.0.0.1:1/ x": "",
		strings.Repeat("generic https://h/\n", 17): "at most 16",
	} {
		_, err := ParseTargets([]byte(file))
		if (err == nil) != (fault == "") || err != nil && (!strings.Contains(err.Error(), fault) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%q: %v, want %q", file, err, fault)
		}
	}
}
