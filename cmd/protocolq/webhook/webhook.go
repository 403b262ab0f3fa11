// Where messages go, and how a receiver knows that they are ours.

// Package webhook sends signed messages to addresses that operators name, after the Standard
// Webhooks specification, for which libraries exist in many languages. A message that is not taken
// is sent again under the same id, by which its receiver knows it.
package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Target is where messages go, and what signs them. Neither is logged: an address may have a secret
// in it.
type Target struct {
	url     string
	secrets [][]byte
}

// String implements [fmt.Stringer].
func (t Target) String() string { return "webhook [redacted]" }

// GoString implements [fmt.GoStringer].
func (t Target) GoString() string { return t.String() }

// NewTarget takes an address that CheckURL has found good, and a file of secrets.
func NewTarget(address string, secrets []byte) (t Target, err error) {
	t.url = address
	t.secrets, err = ParseSecrets(secrets)
	return t, err
}

// ParseTarget reads a file whose first line is the address and the others its secrets. A line that
// begins with # says nothing. No error says what a line holds.
func ParseTarget(file []byte) (t Target, err error) {
	var lines [][]byte
	for line := range bytes.Lines(file) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return t, errors.New("names no webhook: its first line must be a URL, the next a secret as 'protocolq http " +
			"secret' makes it")
	}
	if err := CheckURL(string(lines[0])); err != nil {
		return t, fmt.Errorf("first line: %w", err)
	}
	if t, err = NewTarget(string(lines[0]), bytes.Join(lines[1:], []byte("\n"))); err != nil {
		return t, fmt.Errorf("after its first line it %w", err)
	}
	return t, nil
}

// Bounds of secrets, those of the specification.
const (
	secretHead  = "whsec_"
	secretBytes = 32
	leastSecret = 24
	mostSecret  = 64
	mostSecrets = 3
)

// NewSecret makes what signs.
func NewSecret() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return secretHead + base64.StdEncoding.EncodeToString(b[:])
}

var errSecret = fmt.Errorf("must hold 1 to %d lines, each whsec_ and the base64 of %d to %d bytes, as 'protocolq "+
	"http secret' makes them", mostSecrets, leastSecret, mostSecret)

// ParseSecrets reads a secret's file. All of its secrets sign, so that one can take the place of
// another. The error shows nothing of it.
func ParseSecrets(file []byte) (secrets [][]byte, err error) {
	for line := range bytes.Lines(bytes.TrimSpace(file)) {
		text, ok := strings.CutPrefix(strings.TrimSpace(string(line)), secretHead)
		secret, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || len(secret) < leastSecret || len(secret) > mostSecret {
			return nil, errSecret
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 || len(secrets) > mostSecrets {
		return nil, errSecret
	}
	return secrets, nil
}

// CheckURL tells what is wrong with where a webhook is: messages are sent by TLS alone, but within
// this machine.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || !isPort(u.Port()):
		return errors.New("webhook url must be such as https://host/path, without a user")
	case u.Scheme == "https":
		return nil
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("webhook url must be https; http only to this machine")
}

// isPort reports whether a port is one, or "" for that of the scheme.
func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil && n > 0
}

// sign is the signature header of a message: "v1," and the base64 of the HMAC-SHA256 over id, time
// and body with dots between them, for each secret, with spaces between.
func sign(secrets [][]byte, id string, at time.Time, body []byte) string {
	var all []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}
