// What the settings say about a connection, and where JetStream is.

package natsconn

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/settings"
)

// For gives the options of a connection from the settings; creds are its own credentials, "" those
// of all connections.
func For(cfg *settings.Config, name, creds string) Options {
	o := Options{Servers: cfg.NATS, Name: "protocolq " + name, TLSFirst: cfg.NATSTLSFirst}
	login := cfg.LoginBy(creds)
	o.Creds, o.User, o.Password, o.Token = login.Creds, login.User, login.Password, login.Token
	if path := cfg.NATSCAFile; path != "" {
		o.CA = cfg.PublicFile(path)
	}
	if path := cfg.NATSCertFile; path != "" {
		o.Cert, o.Key = cfg.PublicFile(path), cfg.SecretFile(cfg.NATSKeyFile)
	}
	return o
}

// JetStream is the JetStream of a connection, where the settings say it is.
func JetStream(nc *nats.Conn, cfg *settings.Config) (jetstream.JetStream, error) {
	if api := cfg.JetStreamAPI(); api != "" {
		return jetstream.NewWithAPIPrefix(nc, api)
	}
	return jetstream.New(nc)
}

// login is how a connection logs in; each uses the files' present content.
func (o Options) login() ([]nats.Option, error) {
	var options []nats.Option
	if o.Creds != nil {
		by, err := loginBy(o.Creds)
		if err != nil {
			return nil, err
		}
		options = append(options, by)
	}
	if o.Password != nil {
		options = append(options, nats.UserInfoHandler(func() (string, string) { return o.User, line(o.Password) }))
	}
	if o.Token != nil {
		options = append(options, nats.TokenHandler(func() string { return line(o.Token) }))
	}
	return options, nil
}

// line is the one line of a secret's file; "" if it cannot be read, which the server refuses.
func line(source *settings.KeySource) string {
	data, err := source.Now()
	if err != nil {
		return ""
	}
	return string(bytes.TrimRight(data, "\r\n"))
}

// trust says which authorities a connection trusts, and which certificate it shows. This is for
// NATS connections only: nothing else in the process trusts these authorities.
func (o Options) trust(n *nats.Options) error {
	if o.CA == nil && o.Cert == nil && !o.TLSFirst {
		return nil
	}
	n.Secure, n.TLSHandshakeFirst = true, o.TLSFirst
	n.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != nil {
		n.RootCAsCB = func() (*x509.CertPool, error) {
			pem, err := o.CA.Now()
			pool := x509.NewCertPool()
			if err == nil && !pool.AppendCertsFromPEM(pem) {
				err = errors.New("it holds no certificate")
			}
			if err != nil {
				return nil, fmt.Errorf("read authorities %s: %w", o.CA.Path, err)
			}
			return pool, nil
		}
	}
	if o.Cert != nil {
		n.TLSCertCB = func() (tls.Certificate, error) {
			cert, certErr := o.Cert.Now()
			key, keyErr := o.Key.Now()
			if err := errors.Join(certErr, keyErr); err != nil {
				return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
			}
			return tls.X509KeyPair(cert, key)
		}
	}
	return nil
}
