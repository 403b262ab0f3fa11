// What a webhook is sent, and how it knows that this is ours: after the Standard Webhooks
// specification, for which libraries exist in many languages.

package httpdoor

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Webhook is where an asker wants the answers to its stored queries.
type Webhook struct {
	// URL is the operators' word: no request can name one.
	URL string `yaml:"url"`
	// SecretFile holds what signs: a line each of up to three, as 'protocolq http secret' makes
	// them. All of them sign, so that one can take the place of another.
	SecretFile string `yaml:"secret_file"`
}

// delivery is the body.
type delivery struct {
	Type      string          `json:"type"`
	Timestamp string          `json:"timestamp"` // when the answer was kept
	Data      json.RawMessage `json:"data"`      // the Result
}

const deliveryType = "query.answered"

// Headers of a delivery.
const (
	webhookID        = "Webhook-Id"
	webhookTimestamp = "Webhook-Timestamp"
	webhookSignature = "Webhook-Signature"
)

// Bounds of secrets, those of the specification.
const (
	secretHead  = "whsec_"
	secretBytes = 32
	leastSecret = 24
	mostSecret  = 64
	mostSecrets = 3
)

// newSecret makes what signs.
func newSecret() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return secretHead + base64.StdEncoding.EncodeToString(b[:])
}

var errSecret = fmt.Errorf("must hold 1 to %d lines, each whsec_ and the base64 of %d to %d bytes, as 'protocolq "+
	"http secret' makes them", mostSecrets, leastSecret, mostSecret)

// parseSecrets reads a secret's file. Its error shows nothing of it.
func parseSecrets(file []byte) (secrets [][]byte, err error) {
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

// sign is the signature header of a delivery: "v1," and the base64 of the HMAC-SHA256 over id, time
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

// check tells what is wrong with where a webhook is: answers are sent by TLS alone, but within this
// machine.
func (w *Webhook) check() error {
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("webhook url must be such as https://host/path, without a user")
	case w.SecretFile == "":
		return errors.New("webhook secret_file is needed: 'protocolq http secret' makes a secret")
	case u.Scheme == "https":
		return nil
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("webhook url must be https; http only to this machine")
}
