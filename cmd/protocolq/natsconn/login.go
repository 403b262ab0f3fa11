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

// loginBy logs in with a credentials file, or with a lone nkey seed where the server lists its
// users itself. Each connection takes what the file holds by then; what came from a pipe stays as
// it was.
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

// followSeed has a connection name the user whose seed the file holds by now. The NATS client keeps
// the public key that it was given at first, with which a seed that was rotated fits no more. It is
// called as the client dials, which holds the connection's lock then and reads the key after it. A
// file that is being written is read again at the next dial.
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
