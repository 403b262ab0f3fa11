// Forms: the messages that each kind of target takes, signed as it requires.

package alert

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"protocolq/worker/ops"
)

// notice is what one message says: problems that began, and those that are over.
type notice struct {
	prefix   string // of the fleet
	firing   []ops.Problem
	resolved []resolved
	page     func(path string) string
}

// pages are the paths of the page in the browser that show what an alert is about; other alerts are
// about the fleet.
var pages = map[string]string{"ProtocolqDeadLetters": "/letters", "ProtocolqPartnerHalted": "/controls",
	"ProtocolqIntakePaused": "/controls"}

// pageOf is the address of what an alert is about, "" without a page.
func (n notice) pageOf(alert string) string {
	if n.page == nil {
		return ""
	}
	return n.page(cmp.Or(pages[alert], "/fleet"))
}

// resolved is a problem that was sent, and is over.
type resolved struct {
	ops.Alert
	ID    string
	Since time.Time
}

// Bounds of one message. WeCom takes 4096 bytes of markdown, the others more.
const (
	mostText  = 3800
	mostLines = 20
)

// text is a notice for people.
func (n notice) text() string {
	var b strings.Builder
	left := mostLines
	line := func(format string, args ...any) {
		if left--; left > 0 {
			fmt.Fprintf(&b, format, args...)
		}
	}
	for _, p := range n.firing {
		page := n.pageOf(p.Alert.Name)
		if page != "" {
			page += "\n"
		}
		line("[%s] %s\n%s, since %s\n%s\n%s\n", strings.ToUpper(p.Alert.Severity), p.Summary(), p.Alert.Name,
			p.Since.Format(time.RFC3339), p.Alert.Do, page)
	}
	for _, r := range n.resolved {
		line("[RESOLVED] %s, which began at %s\n\n", r.ID, r.Since.Format(time.RFC3339))
	}
	if left <= 0 {
		fmt.Fprintf(&b, "and %d more\n", 1-left)
	}
	return cut(strings.TrimSpace(b.String()), mostText)
}

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most -= len("…"); most > 0 && !utf8.RuneStart(s[most]); most-- {
	}
	return s[:most] + "…"
}

func (n notice) title() string {
	return fmt.Sprintf("protocolq %s: %d firing, %d resolved", n.prefix, len(n.firing), len(n.resolved))
}

// request makes the request of a notice.
func (t Target) request(ctx context.Context, n notice, now time.Time) (*http.Request, error) {
	to, header := *t.url, http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	var body any
	switch t.kind {
	case dingTalk:
		if t.secret != "" {
			ms := strconv.FormatInt(now.UnixMilli(), 10)
			q := to.Query()
			q.Set("timestamp", ms)
			q.Set("sign", signDingTalk(t.secret, ms))
			to.RawQuery = q.Encode()
		}
		body = map[string]any{"msgtype": "text", "text": map[string]string{"content": n.title() + "\n\n" + n.text()}}
	case weCom:
		body = map[string]any{"msgtype": "markdown",
			"markdown": map[string]string{"content": n.title() + "\n\n" + n.text()}}
	case feishu:
		m := map[string]any{"msg_type": "text", "content": map[string]string{"text": n.title() + "\n\n" + n.text()}}
		if t.secret != "" {
			seconds := strconv.FormatInt(now.Unix(), 10)
			m["timestamp"], m["sign"] = seconds, signFeishu(t.secret, seconds)
		}
		body = m
	default:
		body = n.webhook(now)
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if t.kind == generic && t.secret != "" {
		header.Set("X-Protocolq-Signature", signGeneric(t.secret, data))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	r.Header = header
	return r, nil
}

// signDingTalk is the signature for DingTalk's robots: HMAC-SHA256 of time, line feed and secret,
// with the secret as the key.
func signDingTalk(secret, ms string) string { return signed(secret, ms+"\n"+secret) }

// signFeishu is the signature for Feishu's robots: time, line feed and secret are the key, of an
// empty message.
func signFeishu(secret, seconds string) string { return signed(seconds+"\n"+secret, "") }

func signed(key, text string) string {
	return base64.StdEncoding.EncodeToString(mac(key, []byte(text)))
}

// signGeneric signs the body.
func signGeneric(secret string, body []byte) string {
	return "sha256=" + hex.EncodeToString(mac(secret, body))
}

func mac(key string, text []byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write(text)
	return h.Sum(nil)
}

// webhook is version 4 of the message that Prometheus' Alertmanager sends.
func (n notice) webhook(now time.Time) any {
	type one struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
		EndsAt      time.Time         `json:"endsAt"`
		Page        string            `json:"generatorURL,omitempty"`
	}
	var all []one
	for _, p := range n.firing {
		all = append(all,
			one{Status: "firing", StartsAt: p.Since, Page: n.pageOf(p.Alert.Name),
				Labels: labels(p.Alert.Name, p.Label, p.Alert.Severity),
				Annotations: map[string]string{"summary": p.Summary(), "description": p.Alert.Means, "do": p.Alert.Do,
					"runbook": "deploy/docs/alerts/" + p.Alert.Name + ".md"}})
	}
	for _, r := range n.resolved {
		name, label, _ := strings.Cut(r.ID, " ")
		all = append(all, one{Status: "resolved", StartsAt: r.Since, EndsAt: now,
			Labels: labels(name, label, r.Severity), Annotations: map[string]string{"summary": r.ID}})
	}
	status := "firing"
	if len(n.firing) == 0 {
		status = "resolved"
	}
	externalURL := ""
	if n.page != nil {
		externalURL = n.page("")
	}
	return map[string]any{"version": "4", "status": status, "receiver": "protocolq", "groupKey": n.prefix,
		"truncatedAlerts": 0,
		"groupLabels":     map[string]string{}, "commonLabels": map[string]string{"prefix": n.prefix},
		"commonAnnotations": map[string]string{}, "externalURL": externalURL, "alerts": all}
}

func labels(name, about, severity string) map[string]string {
	all := map[string]string{"alertname": name, "severity": severity}
	if about != "" {
		all["about"] = about
	}
	return all
}

// took reads a response: robots answer 200 even if they refuse.
func (t Target) took(status int, body []byte) error {
	if status < 200 || status > 299 {
		return fmt.Errorf("the answer has status %d", status)
	}
	var said struct {
		ErrCode *int   `json:"errcode"` // DingTalk, WeCom
		ErrMsg  string `json:"errmsg"`
		Code    *int   `json:"code"` // Feishu
		Msg     string `json:"msg"`
	}
	if t.kind == generic {
		return nil
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("the answer is not JSON")
	}
	code, why := said.ErrCode, said.ErrMsg
	if t.kind == feishu {
		code, why = said.Code, said.Msg
	}
	switch {
	case code == nil:
		return fmt.Errorf("the answer has no code")
	case *code != 0:
		return fmt.Errorf("it refused with code %d: %.100q", *code, why)
	}
	return nil
}
