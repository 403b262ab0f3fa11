// How NATS is reached: the login, the trusted authorities, and where JetStream is.

package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// reachNames are the settings that come with "nats", in the order in which they are read: each may
// be in the context.
var reachNames = []string{"nats-context", "nats-user", "nats-password-file", "nats-token-file",
	"nats-ca-file", "nats-cert-file", "nats-key-file", "nats-tls-first", "js-domain", "js-api-prefix"}

func (c *Config) contextSettings() []setting {
	return []setting{checked(text(&c.NATSContext, setting{name: "nats-context", kind: "context",
		usage: "a context of the nats command line, by name or file; other settings override it"}),
		c.readContext)}
}

func (c *Config) reachSettings() []setting {
	of := func(what func(*natsContext) string, s setting) setting {
		s.context = func() string { return what(&c.context) }
		return s
	}
	return []setting{
		text(&c.NATSUser, setting{name: "nats-user", kind: "name", usage: "NATS user name, for a password"}),
		checked(text(&c.NATSPasswordFile,
			setting{name: "nats-password-file", kind: kindFile,
				usage: "file with the password of nats-user"}), c.checkPassword),
		checked(text(&c.NATSTokenFile, setting{name: "nats-token-file", kind: kindFile,
			usage: "file with a NATS token, if the server authenticates by token"}), c.checkToken),
		checked(of((*natsContext).ca, text(&c.NATSCAFile,
			setting{name: "nats-ca-file", kind: "PEM",
				usage: "certificate authorities trusted for NATS servers, instead of the system's; not for the " +
					"gateway"})), c.checkCA),
		of((*natsContext).cert, text(&c.NATSCertFile,
			setting{name: "nats-cert-file", kind: "PEM", usage: "certificate that the program shows to NATS servers"})),
		checked(of((*natsContext).key, text(&c.NATSKeyFile,
			setting{name: "nats-key-file", kind: kindFile, usage: "private key of nats-cert-file"})), c.checkCert),
		of((*natsContext).tlsFirst, toggle(&c.NATSTLSFirst,
			setting{name: "nats-tls-first",
				usage: "speak TLS with NATS servers from the first byte, if they are configured so"})),
		of(func(x *natsContext) string { return x.JSDomain },
			text(&c.JSDomain, setting{name: "js-domain", kind: "name",
				usage: "JetStream domain of the streams, such as that of a leaf node's hub"})),
		checked(of(func(x *natsContext) string { return x.JSAPIPrefix },
			text(&c.JSAPIPrefix, setting{name: "js-api-prefix", kind: "subject",
				usage: "subject of the JetStream API if the account imports it as another; instead of js-domain"})),
			c.checkAPI),
	}
}

// Login is the login of a connection: one of these, or none. Files are read again at each connect.
type Login struct {
	Creds           *KeySource // credentials file or nkey seed
	User            string
	Password, Token *KeySource
}

// LoginBy is the login of a connection: its own credentials at path, or without them those of the
// settings, or else of the context.
func (c *Config) LoginBy(path string) Login {
	switch path = cmp.Or(path, c.NATSCreds); {
	case path != "":
		return Login{Creds: c.SecretFile(path)}
	case c.NATSUser != "":
		return Login{User: c.NATSUser, Password: c.SecretFile(c.NATSPasswordFile)}
	case c.NATSTokenFile != "":
		return Login{Token: c.SecretFile(c.NATSTokenFile)}
	}
	return c.context.login(c)
}

// checkPassword reads the password, so that its fault is reported at the start.
func (c *Config) checkPassword() error {
	switch {
	case c.NATSPasswordFile == "" && c.NATSUser == "":
		return nil
	case c.NATSPasswordFile == "":
		return errors.New("is needed with nats-user")
	case c.NATSUser == "":
		return errors.New("needs nats-user")
	case c.NATSCreds != "":
		return errors.New("cannot be given together with nats-creds: a connection has one login")
	}
	return oneLine(c.SecretFile(c.NATSPasswordFile))
}

func (c *Config) checkToken() error {
	switch {
	case c.NATSTokenFile == "":
		return nil
	case c.NATSCreds != "" || c.NATSUser != "":
		return errors.New("cannot be given together with nats-creds or nats-user: a connection has one login")
	}
	return oneLine(c.SecretFile(c.NATSTokenFile))
}

// oneLine gives an error for a secret that nobody can have meant.
func oneLine(source *KeySource) error {
	if source.Err != nil {
		return source.Err
	}
	if len(bytes.TrimSpace(source.Material)) == 0 ||
		bytes.ContainsRune(bytes.TrimRight(source.Material, "\r\n"), '\n') {
		return fmt.Errorf("%s must hold one line", source.Path)
	}
	return nil
}

func (c *Config) checkCA() error {
	if c.NATSCAFile == "" {
		return nil
	}
	source := c.PublicFile(c.NATSCAFile)
	if source.Err == nil && !bytes.Contains(source.Material, []byte("-----BEGIN CERTIFICATE-----")) {
		return fmt.Errorf("%s holds no certificate", c.NATSCAFile)
	}
	return source.Err
}

func (c *Config) checkCert() error {
	if (c.NATSCertFile == "") != (c.NATSKeyFile == "") {
		return errors.New("is needed together with nats-cert-file")
	}
	if c.NATSKeyFile == "" {
		return nil
	}
	return errors.Join(c.PublicFile(c.NATSCertFile).Err, c.SecretFile(c.NATSKeyFile).Err)
}

func (c *Config) checkAPI() error {
	switch api := c.JetStreamAPI(); {
	case c.JSDomain != "" && c.JSAPIPrefix != "":
		return errors.New("cannot be given together with js-domain: one of them says where JetStream is")
	case strings.ContainsAny(api, " \t*>") || strings.HasSuffix(api, ".") || strings.Contains(api, ".."):
		return fmt.Errorf("%q is not a prefix for subjects", api)
	}
	return nil
}

// JetStreamAPI is the prefix of the JetStream API, without the last dot; "" is $JS.API.
func (c *Config) JetStreamAPI() string {
	if c.JSDomain != "" {
		return "$JS." + c.JSDomain + ".API"
	}
	return c.JSAPIPrefix
}
