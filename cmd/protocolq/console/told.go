// The webhook of console-webhook-file.

package console

import (
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/webhook"
)

// told returns the webhook as its file has it now; nil if there is none.
func told(cfg *settings.Config) func() (webhook.Target, error) {
	if cfg.Console.WebhookFile == "" {
		return nil
	}
	source := cfg.SecretFile(cfg.Console.WebhookFile)
	return func() (webhook.Target, error) {
		file, err := source.Now()
		if err != nil {
			return webhook.Target{}, err
		}
		return webhook.ParseTarget(file)
	}
}

// checkTold checks the file when the console starts.
func checkTold(cfg *settings.Config) error {
	now := told(cfg)
	if now == nil {
		return nil
	}
	if _, err := now(); err != nil {
		return &settings.Fault{Setting: "console-webhook-file", Err: err}
	}
	return nil
}
