// Package alert pushes alerts to chat robots and webhooks, for teams without Prometheus: a
// recorder checks the same rules.
package alert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Target is where alerts go: a robot or a webhook. Its URL and its secret are never logged.
type Target struct {
	kind   kind
	url    *url.URL
	secret string
}

// String names a target without its secrets.
func (t Target) String() string { return string(t.kind) + " " + t.url.Host }

// GoString implements [fmt.GoStringer].
func (t Target) GoString() string { return t.String() }

// id distinguishes targets in the fleet's record, without their secrets.
func (t Target) id() string {
	sum := sha256.Sum256([]byte("alert target\x00" + t.url.String()))
	return hex.EncodeToString(sum[:8])
}

// kind is the message format of a target.
type kind string

const (
	generic  kind = "generic" // the webhook of Prometheus' Alertmanager
	dingTalk kind = "dingtalk"
	weCom    kind = "wecom"
	feishu   kind = "feishu"
)

var kinds = []kind{generic, dingTalk, weCom, feishu}

const mostTargets = 16

// ParseTargets reads a file of targets, one on each line: its kind, its URL, and its secret if it
// has one. No error shows a line's content.
func ParseTargets(file []byte) (all []Target, err error) {
	var faults []error
	for n, line := range bytes.Split(file, []byte("\n")) {
		words := strings.Fields(string(line))
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		t, err := parseTarget(words)
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", n+1, err))
		}
		all = append(all, t)
	}
	switch {
	case len(faults) == 0 && len(all) == 0:
		faults = append(faults,
			errors.New("names no webhook; write lines such as: dingtalk "+
				"https://oapi.dingtalk.com/robot/send?access_token=… SEC…"))
	case len(all) > mostTargets:
		faults = append(faults, fmt.Errorf("names %d webhooks, at most %d", len(all), mostTargets))
	}
	return all, errors.Join(faults...)
}

func parseTarget(words []string) (t Target, err error) {
	if t.kind = kind(words[0]); !slices.Contains(kinds, t.kind) {
		return t, errors.New("does not begin with a kind: generic, dingtalk, wecom or feishu")
	}
	if len(words) < 2 || len(words) > 3 {
		return t, errors.New("must be a kind, a URL and perhaps a secret")
	}
	t.url, err = url.Parse(words[1])
	if err != nil || t.url.Host == "" || t.url.Scheme != "https" && t.url.Scheme != "http" {
		return t, errors.New("must have an https URL as its second word")
	}
	host := t.url.Hostname()
	if ip := net.ParseIP(host); t.url.Scheme == "http" && host != "localhost" && !ip.IsLoopback() {
		return t, errors.New("must have an https URL: http only to this machine")
	}
	if len(words) == 3 {
		t.secret = words[2]
	}
	if t.kind == weCom && t.secret != "" {
		return t, errors.New("must have no secret: wecom robots have only the key in their URL")
	}
	return t, nil
}
