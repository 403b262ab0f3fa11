// The practice partners, as files and as the practice gateway needs them.

package localstack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway"
	"protocolq/gateway/keyfile"
	"protocolq/gateway/simulator"
)

// PracticeAskers gives partners in the form that the practice gateway needs.
func PracticeAskers(partners []gateway.Partner) []simulator.Partner {
	list := make([]simulator.Partner, 0, len(partners))
	for _, p := range partners {
		list = append(list, simulator.Partner{ID: p.ID, Key: p.Key})
	}
	return list
}

// WritePracticeKeys writes <partner>.key for each practice partner into dir, for the commands that
// take a key by its file. An existing file with another key is an error, and is not changed.
func WritePracticeKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write practice keys: %w", err)
	}
	for _, p := range settings.PracticeSet {
		path := filepath.Join(dir, p.ID+".key")
		old, err := keyfile.Reread(path)
		if err == nil && string(old) == p.Key+"\n" {
			continue
		}
		if err == nil {
			return fmt.Errorf("write practice keys: %s holds another key", path)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("write practice keys: %w", err)
		}
		if err := os.WriteFile(path, []byte(p.Key+"\n"), 0o600); err != nil {
			return fmt.Errorf("write practice keys: %w", err)
		}
	}
	return nil
}
