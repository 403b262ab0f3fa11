// Webhooks of askers: where the answers to their stored queries go.

package httpdoor

import (
	"errors"

	"protocolq/cmd/protocolq/webhook"
)

// Webhook is where an asker wants the answers to its stored queries.
type Webhook struct {
	// URL comes from operators only: no request can name one.
	URL string `yaml:"url"`
	// SecretFile has up to three signing secrets, one on each line, as 'protocolq http secret' makes
	// them. All of them sign, so that one can replace another.
	SecretFile string `yaml:"secret_file"`
}

const deliveryType = "query.answered"

// check says what is wrong with it.
func (w *Webhook) check() error {
	err := webhook.CheckURL(w.URL)
	if err == nil && w.SecretFile == "" {
		return errors.New("webhook secret_file is needed: 'protocolq http secret' makes a secret")
	}
	return err
}
