// Connections to NATS: named, never given up, and never buffering what may be too late.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// natsOptions say how to connect. The zero value of a field is its default.
type natsOptions struct {
	Servers []string
	Creds   *keySource // credentials file or nkey seed; nil connects without
	Name    string     // shown in the server's list of connections
	Inbox   string     // inbox prefix; "_INBOX" when empty
	// Wait keeps trying in the background when no server answers at first. Without it a missing
	// server is an error: a person is waiting.
	Wait   bool
	Logger *slog.Logger // nil: connection events are not told
}

// Waits between two tries: the first is short, a server that restarts is missed for a moment only;
// then double until the last, so that a missing one costs nothing.
const (
	firstReconnectWait = 250 * time.Millisecond
	lastReconnectWait  = time.Second // well below the grace in which an owner may still store its answer
)

// connectNATS connects. With Wait it returns at once and tries for ever; what is published before
// the connection stands is refused, because a message sent late can be one nobody waits for.
func connectNATS(o natsOptions) (*nats.Conn, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var made atomic.Pointer[nats.Conn]
	delay := func(rounds int) time.Duration {
		// A server that is there and refuses us is told by no handler.
		if nc := made.Load(); nc != nil && nc.LastError() != nil {
			o.tellRefused(nc.LastError())
		}
		return reconnectDelay(rounds)
	}
	options := append(o.events(),
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.RetryOnFailedConnect(o.Wait),
		nats.CustomReconnectDelay(delay),
		// A half-open connection keeps taking its share of the questions until it is noticed.
		nats.PingInterval(10*time.Second),
		nats.MaxPingsOutstanding(2),
		nats.Timeout(dialTimeout),
		nats.SetCustomDialer(&dialer{}),
	)
	if o.Wait {
		// Credentials can be put right while we wait; by default the second refusal closes for
		// good.
		options = append(options, nats.IgnoreAuthErrorAbort())
	}
	if o.Creds != nil {
		login, err := loginBy(o.Creds)
		if err != nil {
			return nil, err
		}
		options = append(options, login)
	}
	if o.Inbox != "" {
		options = append(options, nats.CustomInboxPrefix(o.Inbox))
	}
	nc, err := nats.Connect(strings.Join(o.Servers, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", strings.Join(o.Servers, ","), err)
	}
	made.Store(nc)
	if o.Wait && !nc.IsConnected() {
		o.Logger.Warn("nats not there yet, trying on", "servers", o.Servers)
	}
	return nc, nil
}

// loginBy logs in with a credentials file, or with a lone nkey seed where the server lists its
// users itself. Each connection takes what the file holds by then; what came from a pipe stays as
// it was.
func loginBy(creds *keySource) (nats.Option, error) {
	if creds.err != nil {
		return nil, fmt.Errorf("read NATS credentials: %w", creds.err)
	}
	sign := func(nonce []byte) ([]byte, error) {
		data, err := creds.now()
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
	if bytes.Contains(creds.material, []byte("NATS USER JWT-----")) {
		return nats.UserJWT(func() (string, error) {
			data, err := creds.now()
			if err != nil {
				return "", err
			}
			return nkeys.ParseDecoratedJWT(data)
		}, sign), nil
	}
	pair, err := nkeys.ParseDecoratedNKey(creds.material)
	if err != nil {
		return nil, fmt.Errorf("read nkey seed %s: %w", creds.Path, err)
	}
	defer pair.Wipe()
	user, err := pair.PublicKey()
	if err == nil && !nkeys.IsValidPublicUserKey(user) {
		err = errors.New("it is not a user's")
	}
	if err != nil {
		return nil, fmt.Errorf("read nkey seed %s: %w", creds.Path, err)
	}
	return nats.Nkey(user, sign), nil
}

// reconnectDelay is the wait before a round over all servers, counted from 1. The jitter keeps a
// fleet from coming back in one wave.
func reconnectDelay(rounds int) time.Duration {
	wait := lastReconnectWait
	if doublings := rounds - 1; doublings >= 0 && doublings < 5 {
		wait = min(firstReconnectWait<<doublings, lastReconnectWait)
	}
	return wait/2 + jitterUpTo(wait/2)
}

// events tells what happens to a connection, one line each time it changes and, while it is away,
// one line a round of tries.
func (o natsOptions) events() []nats.Option {
	log := o.Logger.With("connection", o.Name)
	return []nats.Option{
		nats.ConnectHandler(func(nc *nats.Conn) { log.Info("nats connected", "server", nc.ConnectedUrlRedacted()) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("nats connected again", "server", nc.ConnectedUrlRedacted()) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("nats connection lost", "err", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { log.Warn("nats not reached, trying on", "err", err) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			attrs := []any{"err", err}
			if sub != nil {
				attrs = append(attrs, "subject", sub.Subject)
			}
			log.Error("nats refused something", attrs...)
		}),
	}
}

// tellRefused: a server that does not know us will not do so by itself, so somebody must act.
func (o natsOptions) tellRefused(err error) {
	attrs := []any{"connection", o.Name, "err", err}
	level := slog.LevelWarn
	if errors.Is(err, nats.ErrAuthorization) {
		level, attrs = slog.LevelError, append(attrs, "hint", "the server does not know this user: nats-creds says who this is")
	}
	o.Logger.Log(context.Background(), level, "nats not connected, trying on", attrs...)
}

// forbade is what the server has last forbidden this user, else nil: it tells only the connection,
// and who waits for the answer to a forbidden question sees but his time run out.
func forbade(nc *nats.Conn) error {
	if word := nc.LastError(); errors.Is(word, nats.ErrPermissionViolation) {
		return word
	}
	return nil
}

// notAllowed is what a time that ran out means where the server has forbidden something meanwhile,
// else nil.
func notAllowed(nc *nats.Conn, err error) error {
	word := forbade(nc)
	if word == nil || !errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return &exitError{Code: exitOther, Err: fmt.Errorf("%w: %w", err, word), Hint: "--nats-creds says who you are; deploy/nats/users.conf has a user for each part"}
}

// isNoServer tells whether err says that no server could be reached at all: its name is not known,
// nothing listens there, or the network does not answer. One that was reached and refuses (TLS
// tells so by a net.OpError, too) is there.
func isNoServer(err error) bool {
	network, ok := errors.AsType[*net.OpError](err)
	return ok && network.Op == "dial" || errors.Is(err, nats.ErrNoServers)
}
