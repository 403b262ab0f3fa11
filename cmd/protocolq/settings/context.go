// A context of the nats command line: how to reach one NATS system, as a file of JSON.

package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/synadia-io/orbit.go/natscontext"

	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway/keyfile"
)

// natsContext is what a context says; the zero value says nothing. We connect by it ourselves, so
// that rotated files are read again and no program is run.
type natsContext struct {
	natscontext.Settings
	path string
}

// maxContext protects against a file that is not a context.
const maxContext = 1 << 20

// readContext reads the context that is named.
func (c *Config) readContext() error {
	c.context = natsContext{}
	if c.NATSContext == "" {
		return nil
	}
	path, err := contextPath(c.NATSContext)
	if err != nil {
		return err
	}
	source := c.SecretFile(path) // it may hold a password
	if source.Err != nil {
		return fmt.Errorf("read the context: %w", source.Err)
	}
	if len(source.Material) > maxContext {
		return fmt.Errorf("%s is too long for a context", path)
	}
	x := natsContext{path: path}
	if json.Unmarshal(source.Material, &x.Settings) != nil {
		return fmt.Errorf("%s is not a context: it must hold a JSON object", path) // the error's text may show a secret
	}
	if err := x.check(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.context = x
	if creds := x.login(c).Creds; creds != nil {
		return c.CheckCreds(creds.Path)
	}
	return nil
}

// check refuses what is not supported, and what runs a program.
func (x *natsContext) check() error {
	var faults []error
	for key, value := range map[string]string{"socks_proxy": x.SocksProxy, "user_jwt": x.UserJwt,
		"windows_cert_store": x.WinCertStoreType} {
		if value != "" {
			faults = append(faults, fmt.Errorf("%s is not supported", key))
		}
	}
	if x.NSCLookup != "" {
		faults = append(faults, errors.New("nsc would run a program: name the credentials file in creds"))
	}
	return errors.Join(faults...)
}

// contextPath is the file of a context, by its name or by its path.
func contextPath(named string) (string, error) {
	if strings.ContainsRune(named, os.PathSeparator) || strings.HasSuffix(named, ".json") {
		return named, nil
	}
	dir, err := userConfig()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "nats", "context", named+".json")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no context %s: %s is missing", cli.Printable(named), path)
	}
	return path, nil
}

// login is the login that the context gives.
func (x *natsContext) login(c *Config) Login {
	inline := func(secret string) *KeySource {
		return &KeySource{Source: keyfile.Source{Path: x.path}, Material: []byte(secret)}
	}
	switch {
	case x.User != "":
		return Login{User: x.User, Password: inline(x.Password)}
	case x.Creds != "":
		return Login{Creds: c.SecretFile(home(os.ExpandEnv(x.Creds)))}
	case x.NKey != "":
		return Login{Creds: c.SecretFile(home(x.NKey))}
	case x.Token != "":
		return Login{Token: inline(x.Token)}
	}
	return Login{}
}

func (x *natsContext) ca() string   { return home(x.CA) }
func (x *natsContext) cert() string { return home(x.Cert) }
func (x *natsContext) key() string  { return home(x.Key) }

func (x *natsContext) tlsFirst() string {
	if x.TLSFirst {
		return "true"
	}
	return ""
}

// home fills in the ~ that a path may begin with.
func home(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return dir + rest
}
