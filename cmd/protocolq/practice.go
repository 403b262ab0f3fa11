// The practice set: two made-up partners with made-up keys, known to the practice gateway and to
// everything that plays with it.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"protocolq/gateway"
	"protocolq/gateway/keyfile"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

// practiceSet is open to everybody, so it protects nothing: the real gateway knows none of it.
var practiceSet = []struct{ id, charset, key string }{
	{"2088000000000001", "utf-8", "practice0000practice0000practice"},
	{"2088000000000002", "gbk", "practice1111practice1111practice"},
}

// practicePartners gives the practice set to a client of the gateway; the first is the default
// partner.
func practicePartners() []gateway.Partner {
	list := make([]gateway.Partner, 0, len(practiceSet))
	for _, p := range practiceSet {
		cs, err := mapi.ParseCharset(p.charset)
		must(err)
		key, err := mapi.ParseKey(mapi.MD5, []byte(p.key))
		must(err)
		list = append(list, gateway.Partner{ID: p.id, Charset: cs, Key: key})
	}
	return list
}

// practiceAskers gives partners to the practice gateway.
func practiceAskers(partners []gateway.Partner) []simulator.Partner {
	list := make([]simulator.Partner, 0, len(partners))
	for _, p := range partners {
		list = append(list, simulator.Partner{ID: p.ID, Key: p.Key})
	}
	return list
}

// writePracticeKeys writes <partner>.key for each practice partner into dir, for the commands that
// take a key by its file. A file that is there with another key is left alone and an error.
func writePracticeKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write practice keys: %w", err)
	}
	for _, p := range practiceSet {
		path := filepath.Join(dir, p.id+".key")
		old, err := keyfile.Reread(path)
		if err == nil && string(old) == p.key+"\n" {
			continue
		}
		if err == nil {
			return fmt.Errorf("write practice keys: %s holds another key", path)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("write practice keys: %w", err)
		}
		if err := os.WriteFile(path, []byte(p.key+"\n"), 0o600); err != nil {
			return fmt.Errorf("write practice keys: %w", err)
		}
	}
	return nil
}
