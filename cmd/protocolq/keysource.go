// Key material: every file that a setting names as a secret is read here, once, and judged for who
// else can read it.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"protocolq/gateway/keyfile"
	"protocolq/gateway/mapi"
)

// keySource is what reading one path gave: the material, or the error.
type keySource struct {
	keyfile.Source
	material []byte
	err      error
}

// now is the material as it is now: a regular file may have changed, what came from a pipe has not.
func (k *keySource) now() ([]byte, error) {
	if !k.Regular {
		return k.material, k.err
	}
	return keyfile.Reread(k.Path)
}

// fault is the error in the words of whoever wanted a key.
func (k *keySource) fault() error {
	if errors.Is(k.err, errKeyItself) {
		return k.err
	}
	return fmt.Errorf("read key file: %w", k.err)
}

// keySources are the key files of one command, each read once however many settings name it. The
// zero value has read nothing.
type keySources struct {
	read    map[string]*keySource
	exposed []string // who else can read or change a file, a sentence each
}

// openTo says whether a file may be read by all: a public key is, a secret is not.
type openTo bool

const (
	secretFile openTo = false
	publicFile openTo = true
)

// get reads path. A pipe is waited for until the first signal.
func (k *keySources) get(path string, to openTo) *keySource {
	source := k.read[path]
	if source == nil {
		source = &keySource{Source: keyfile.Source{Path: path}, err: notAKey(path)}
		if source.err == nil {
			source.material, source.Source, source.err = keyfile.Read(signalled, path)
		}
		if source.err != nil && signalled.Err() != nil {
			source.err = &stoppedError{path}
		}
		if k.read == nil {
			k.read = map[string]*keySource{}
		}
		k.read[path] = source
	}
	k.exposed = append(k.exposed, source.Exposed(bool(to))...)
	return source
}

// watched has the settings of list tell what was found about their files.
func (k *keySources) watched(list []setting) []setting {
	for i := range list {
		list[i].exposed = func() []string { return k.exposed }
	}
	return list
}

// parseKey makes a key of what was read. No error shows what the file holds.
func parseKey[K any](source *keySource, t mapi.SignType, parse func(mapi.SignType, []byte) (K, error)) (K, error) {
	var none K
	if source.err != nil {
		return none, source.fault()
	}
	k, err := parse(t, source.material)
	if err != nil {
		return none, fmt.Errorf("key file %s: %w", source.Path, err)
	}
	return k, nil
}

var errKeyItself = errors.New("looks like a key itself; give the path of a file that holds it")

// notAKey finds a key given where its file was meant, before an error message shows it.
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

// checkExposed is run when everything has been read: with strict-files each file that is open to
// others is a fault, else a warning.
func (s *settings) checkExposed() error {
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
			faults = append(faults, &settingError{Setting: "strict-files", From: s.from["strict-files"], Err: errors.New(text)})
		}
		return errors.Join(faults...)
	}
	if indexSetting(s.list, "log-format") >= 0 {
		s.warnings = found // the command that logs has no logger yet
		return nil
	}
	for _, text := range found {
		fmt.Fprintf(os.Stderr, "protocolq: warning: %s\n", printable(text))
	}
	return nil
}

// logWarnings is for the commands that log.
func (s *settings) logWarnings(log *slog.Logger) {
	for _, text := range s.warnings {
		log.Warn("a key's file is open to others", "hint", text)
	}
}
