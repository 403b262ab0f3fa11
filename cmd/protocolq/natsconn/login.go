// The login of a connection, read again at each connect: rotated credentials need no restart.

package natsconn

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"protocolq/cmd/protocolq/settings"
)

// loginBy logs in with a credentials file, or with an nkey seed if the server itself lists its
// users. Each connection uses the file's present content; the content of a pipe stays the same.
func loginBy(creds *settings.KeySource) (nats.Option, error) {
	if creds.Err != nil {
		return nil, fmt.Errorf("read NATS credentials: %w", creds.Err)
	}
	sign := func(nonce []byte) ([]byte, error) {
		data, err := creds.Now()
		if err != nil {
			return nil, err
		}
		pair, err := nkeys.ParseDecoratedNKey(data)
		if err != nil {
			return nil, err
		}
		defer pair.Wipe()
		return pair.Sign(nonce)
	}
	if hasJWT(creds) {
		return nats.UserJWT(func() (string, error) {
			data, err := creds.Now()
			if err != nil {
				return "", err
			}
			return nkeys.ParseDecoratedJWT(data)
		}, sign), nil
	}
	user, err := userOf(creds.Material)
	if err != nil {
		return nil, fmt.Errorf("read nkey seed %s: %w", creds.Path, err)
	}
	return nats.Nkey(user, sign), nil
}

func hasJWT(creds *settings.KeySource) bool {
	return bytes.Contains(creds.Material, []byte("NATS USER JWT-----"))
}

// userOf is the public key of a user's seed.
func userOf(seed []byte) (string, error) {
	pair, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	user, err := pair.PublicKey()
	if err == nil && !nkeys.IsValidPublicUserKey(user) {
		err = errors.New("it is not a user's seed")
	}
	return user, err
}

// followSeed makes a connection name the user of the file's present seed. The NATS client keeps the
// first public key that it got, which no longer fits after the seed was rotated. followSeed is
// called when the client dials; the client then holds the connection's lock and reads the key
// afterwards. A file that is being written is read again at the next dial.
func followSeed(nc *nats.Conn, creds *settings.KeySource) {
	if nc == nil || hasJWT(creds) {
		return // the first dial has it
	}
	data, err := creds.Now()
	if err != nil {
		return
	}
	if user, err := userOf(data); err == nil {
		nc.Opts.Nkey = user
	}
}
