// Key material: every file that a setting names as a secret is read here, once, with a check of who
// else can read it.

package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway/keyfile"
	"protocolq/gateway/mapi"
)

// KeySource is the result of reading one path: the material, or the error.
type KeySource struct {
	keyfile.Source
	Material []byte
	Err      error
}

// Now is the present material: a regular file may have changed, the content of a pipe has not.
func (k *KeySource) Now() ([]byte, error) {
	if !k.Regular {
		return k.Material, k.Err
	}
	return keyfile.Reread(k.Path)
}

// fault is the error, worded for the setting that needs a key.
func (k *KeySource) fault() error {
	if errors.Is(k.Err, errKeyItself) {
		return k.Err
	}
	return fmt.Errorf("read key file: %w", k.Err)
}

// keySources are the key files of one command, each read once however many settings name it. The
// zero value has read nothing.
type keySources struct {
	read    map[string]*KeySource
	exposed []string // who else can read or change a file, one sentence for each
}

// openTo says whether all may read a file: a public key they may, a secret not.
type openTo bool

const (
	secretFile openTo = false
	publicFile openTo = true
)

// get reads path. It waits for a pipe until the first signal.
func (k *keySources) get(path string, to openTo) *KeySource {
	source := k.read[path]
	if source == nil {
		source = &KeySource{Source: keyfile.Source{Path: path}, Err: notAKey(path)}
		if source.Err == nil {
			source.Material, source.Source, source.Err = keyfile.Read(cli.Signalled(), path)
		}
		if source.Err != nil && cli.Signalled().Err() != nil {
			source.Err = &cli.StoppedError{Path: path}
		}
		if k.read == nil {
			k.read = map[string]*KeySource{}
		}
		k.read[path] = source
	}
	k.exposed = append(k.exposed, source.Exposed(bool(to))...)
	return source
}

// watched lets the settings of list report what was found about their files.
func (k *keySources) watched(list []setting) []setting {
	for i := range list {
		list[i].exposed = func() []string { return k.exposed }
	}
	return list
}

// ParseKey makes a key from what was read. No error shows the file's content.
func ParseKey[K any](source *KeySource, t mapi.SignType, parse func(mapi.SignType, []byte) (K, error)) (K, error) {
	var none K
	if source.Err != nil {
		return none, source.fault()
	}
	k, err := parse(t, source.Material)
	if err != nil {
		return none, fmt.Errorf("key file %s: %w", source.Path, err)
	}
	return k, nil
}

var errKeyItself = errors.New("looks like a key itself; give the path of a file that holds it")

// notAKey finds a key that was given instead of its file's path, before an error message shows it.
func notAKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	letters := strings.IndexFunc(path, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if strings.Contains(path, "-----BEGIN") || len(path) > 255 || (len(path) == 32 && letters < 0) {
		return errKeyItself
	}
	return nil
}

// checkExposed runs when everything has been read: each file that is open to others is a warning,
// or with strict-files a fault.
func (s *Set) checkExposed() error {
	i := indexSetting(s.list, "strict-files")
	if i < 0 {
		return nil // no setting of this command names a key's file
	}
	var found []string
	for _, set := range s.list {
		for _, text := range set.exposed() {
			if !slices.Contains(found, text) {
				found = append(found, text)
			}
		}
	}
	if s.list[i].on() {
		var faults []error
		for _, text := range found {
			faults = append(faults,
				&Fault{Setting: "strict-files", From: s.from["strict-files"], Err: errors.New(text)})
		}
		return errors.Join(faults...)
	}
	if indexSetting(s.list, "log-format") >= 0 {
		s.warnings = found // the command that logs has no logger yet
		return nil
	}
	for _, text := range found {
		fmt.Fprintf(os.Stderr, "protocolq: warning: %s\n", cli.Printable(text))
	}
	return nil
}

// LogWarnings logs the warnings, for commands that log.
func (s *Set) LogWarnings(log *slog.Logger) {
	for _, text := range s.warnings {
		log.Warn("a key's file is open to others", "hint", text)
	}
}

// SecretFile reads a file that only its owner should be able to read.
func (c *Config) SecretFile(path string) *KeySource { return c.sources.get(path, secretFile) }

// PublicFile reads a public key's file, which all may read.
func (c *Config) PublicFile(path string) *KeySource { return c.sources.get(path, publicFile) }

// Warnings are what Load has found about key files that others can read or change.
func (s *Set) Warnings() []string { return s.warnings }
