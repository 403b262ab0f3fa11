// Webhooks of askers: where the answers to their stored queries go.

package httpdoor

import (
	"errors"

	"protocolq/cmd/protocolq/webhook"
)

// Webhook is where an asker wants the answers to its stored queries.
type Webhook struct {
	// URL is the operators' word: no request can name one.
	URL string `yaml:"url"`
	// SecretFile holds what signs: a line each of up to three, as 'protocolq http secret' makes
	// them. All of them sign, so that one can take the place of another.
	SecretFile string `yaml:"secret_file"`
}

const deliveryType = "query.answered"

// check tells what is wrong with it.
func (w *Webhook) check() error {
	err := webhook.CheckURL(w.URL)
	if err == nil && w.SecretFile == "" {
		return errors.New("webhook secret_file is needed: 'protocolq http secret' makes a secret")
	}
	return err
}
