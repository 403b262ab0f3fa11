// The settings of the query log: where it is, what its look-up ids are made with, how long it is
// kept.

package settings

import (
	"errors"
	"fmt"

	"protocolq/worker/querylog"
)

func (c *Config) recordSettings() []setting {
	return []setting{
		checked(text(&c.Database, setting{name: "database", kind: "URL",
			usage: "the query log: sqlite:///path/log.db, or postgres://user@host/name with its password in " +
				"PGPASSFILE"}), c.checkDatabase),
		checked(text(&c.LogHMACKeyFile, setting{name: "log-hmac-key-file", kind: kindFile,
			usage: "key of the query log's look-up ids, the same for a whole fleet"}), c.checkKey),
		span(&c.LogRetention, 0, 100*year, setting{name: "log-retention", fallback: "9600h",
			usage: "how long the query log is kept (400 days); 0 keeps all"}),
		checked(text(&c.AlertWebhookFile, setting{name: "alert-webhook-file", kind: kindFile,
			usage: "file of alert targets, one on each line: dingtalk, wecom, feishu or generic, a URL, and its " +
				"secret if it has one"}), c.checkWebhooks),
	}
}

func (c *Config) checkDatabase() error {
	if c.Database == "" {
		return nil
	}
	return querylog.CheckURL(c.Database)
}

func (c *Config) checkKey() error {
	_, err := c.Hasher()
	return err
}

func (c *Config) checkWebhooks() error {
	if c.AlertWebhookFile == "" {
		return nil
	}
	return c.SecretFile(c.AlertWebhookFile).Err
}

// NeedDatabase is for commands that need a database.
func (c *Config) NeedDatabase() error {
	if c.Database == "" {
		return &Fault{Setting: "database", Err: errors.New("is needed" + HowToSay("database"))}
	}
	return nil
}

// Hasher is nil if no key file was named.
func (c *Config) Hasher() (*querylog.Hasher, error) {
	if c.LogHMACKeyFile == "" {
		return nil, nil
	}
	source := c.SecretFile(c.LogHMACKeyFile)
	if source.Err != nil {
		return nil, fmt.Errorf("read the log's HMAC key: %w", source.Err)
	}
	h, err := querylog.NewHasher(source.Material)
	if err != nil {
		return nil, fmt.Errorf("read the log's HMAC key: %s %w", c.LogHMACKeyFile, err)
	}
	return h, nil
}
