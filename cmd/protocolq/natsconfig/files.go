// The files: one of rights, one of public keys, and a seed for each user.

package natsconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// The names of the files in their folder; a seed's is that of its user with .nk at the end.
const (
	usersFile = "users.conf"
	keysFile  = "keys.conf"
	seedEnd   = ".nk"
)

// Write writes c into a folder, and lets the server's own parser check it. An existing seed stays,
// so that adding a user later changes no other key. Write returns the names of the seeds that it
// made. command is the command line that the files name as their origin.
func (c Config) Write(dir, command string) (made []string, err error) {
	public := map[string]string{}
	for _, u := range c.Users() {
		key, fresh, err := seedOf(filepath.Join(dir, u.Name+seedEnd))
		if err != nil {
			return made, err
		}
		if public[u.Name] = key; fresh {
			made = append(made, u.Name+seedEnd)
		}
	}
	for name, text := range map[string]string{usersFile: c.UsersConf(command), keysFile: c.KeysConf(public)} {
		if err := replace(filepath.Join(dir, name), text); err != nil {
			return made, err
		}
	}
	if _, err := server.ProcessConfigFile(filepath.Join(dir, usersFile)); err != nil {
		return made, fmt.Errorf("the server does not accept %s: %w", usersFile, err)
	}
	return made, nil
}

// seedOf gives the public key of a seed's file, and makes the file if there is none.
func seedOf(path string) (public string, made bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = makeSeed(path); err != nil {
			return "", false, err
		}
		made = true
	}
	if err != nil {
		return "", false, err
	}
	pair, err := nkeys.ParseDecoratedNKey(data)
	if err != nil {
		return "", false, fmt.Errorf("read nkey seed %s: %w", path, err)
	}
	defer pair.Wipe()
	if public, err = pair.PublicKey(); err != nil {
		return "", false, fmt.Errorf("read nkey seed %s: %w", path, err)
	}
	if !nkeys.IsValidPublicUserKey(public) {
		return "", false, fmt.Errorf("%s is not the seed of a user: move it away, or name another folder", path)
	}
	return public, made, nil
}

func makeSeed(path string) ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	seed = append(bytes.Clone(seed), '\n') // the pair's own is wiped
	_, err = f.Write(seed)
	return seed, errors.Join(err, f.Close())
}

// replace overwrites a file that nats-config wrote; a foreign file is not changed.
func replace(path, text string) error {
	have, err := os.ReadFile(path)
	if err == nil && !strings.HasPrefix(string(have), head) {
		return fmt.Errorf("%s was not written by protocolq nats-config: move it away, or name another folder", path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}
