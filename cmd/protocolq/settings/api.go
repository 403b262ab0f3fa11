// How the HTTP door is reached, and who may ask through it.

package settings

import (
	"errors"

	"protocolq/worker/ops"
)

func (c *Config) apiSettings() []setting {
	return []setting{
		checked(text(&c.APIListen, setting{name: "api-listen", kind: "host:port", fallback: ":8481",
			usage: "address of the HTTP door; :8481 is 127.0.0.1:8481, 0.0.0.0:8481 all of this machine's addresses"}),
			c.checkAPIListen),
		text(&c.APIAskersFile, setting{name: "api-askers-file", kind: "YAML",
			usage: "who may ask over HTTP: name, partners, hashes of tokens and bounds of each"}),
		text(&c.APICertFile, setting{name: "api-cert-file", kind: "PEM",
			usage: "certificate of the HTTP door, read again at each handshake; without it there is no TLS"}),
		checked(text(&c.APIKeyFile,
			setting{name: "api-key-file", kind: kindFile, usage: "private key of api-cert-file"}), c.checkAPICert),
	}
}

func (c *Config) checkAPIListen() error {
	_, err := ops.Address(c.APIListen)
	return err
}

func (c *Config) checkAPICert() error {
	if (c.APICertFile == "") != (c.APIKeyFile == "") {
		return errors.New("is needed together with api-cert-file")
	}
	if c.APIKeyFile == "" {
		return nil
	}
	return errors.Join(c.PublicFile(c.APICertFile).Err, c.SecretFile(c.APIKeyFile).Err)
}
