// Connections to NATS: they are named, never given up, and never buffer what may be too late.

package natsconn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
)

// Options say how to connect. The zero value of a field is its default.
type Options struct {
	Servers []string
	Name    string // shown in the server's list of connections
	Inbox   string // inbox prefix; "_INBOX" when empty

	Creds           *settings.KeySource // credentials file or nkey seed; nil connects without
	User            string              // with Password
	Password, Token *settings.KeySource // a line each; nil connects without
	CA              *settings.KeySource // nil: the system's
	Cert, Key       *settings.KeySource // of this client; nil: none
	TLSFirst        bool                // TLS from the first byte on

	// Wait keeps trying in the background when no server answers at first. Without it a missing
	// server is an error: a person is waiting.
	Wait   bool
	Logger *slog.Logger // nil: connection events are not logged
	Away   *AwayLog     // shared by the connections of a process; nil: its own

	rights time.Duration // until a right that was taken away is asked for again; 0: firstRightsWait
}

// Waits between two tries: the first is short, because a restarting server is back in a moment.
// Then they double, so that a missing server costs little.
const (
	firstReconnectWait = 250 * time.Millisecond
	lastReconnectWait  = time.Second // well below the grace in which an owner may still store its answer
)

// pingEvery is how often to ping the server. A server that hangs is left after three times as long,
// for another if there is one: a call's answer has to be stored before the lease of its worker
// ends. A write waits no longer than that, because nothing else is done meanwhile.
const pingEvery = time.Second

// Connect connects. With Wait it returns at once and tries for ever. Until the connection is made,
// publishing is refused, because nobody may wait any more for a message that is sent late.
func Connect(o Options) (*nats.Conn, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Away == nil {
		o.Away = NewAwayLog(o.Logger)
	}
	var made atomic.Pointer[nats.Conn]
	delay := func(rounds int) time.Duration {
		// No handler reports a server that is there but refuses us or does not answer.
		if nc := made.Load(); nc != nil && nc.LastError() != nil {
			o.sayRefused(nc.LastError())
		}
		return reconnectDelay(rounds)
	}
	sockets := &dialer{}
	options := append(o.events(),
		nats.Name(o.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.RetryOnFailedConnect(o.Wait),
		nats.CustomReconnectDelay(delay),
		// A half-open connection keeps getting its share of the questions until that is noticed.
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(3*pingEvery),
		nats.ReconnectOnFlusherError(),
		nats.Timeout(dialTimeout),
		nats.SetCustomDialer(sockets),
	)
	if o.Wait {
		// Credentials can be corrected while we wait; by default the second refusal closes the connection
		// permanently.
		options = append(options, nats.IgnoreAuthErrorAbort())
	}
	login, err := o.login()
	if err != nil {
		return nil, err
	}
	options = append(append(options, login...), o.trust)
	if o.Creds != nil {
		sockets.before = func() { followSeed(made.Load(), o.Creds) }
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

// reconnectDelay is the wait before a round over all servers, counted from 1. The jitter keeps a
// fleet from coming back in one wave.
func reconnectDelay(rounds int) time.Duration {
	wait := lastReconnectWait
	if doublings := rounds - 1; doublings >= 0 && doublings < 5 {
		wait = min(firstReconnectWait<<doublings, lastReconnectWait)
	}
	return wait/2 + rand.N(wait/2)
}

// events logs what happens to a connection: changes, and now and then that it is still lost.
func (o Options) events() []nats.Option {
	log := o.Logger.With("connection", o.Name)
	away := o.Away
	taken := &rights{first: cmp.Or(o.rights, firstRightsWait), log: log}
	return []nats.Option{
		nats.ConnectHandler(func(nc *nats.Conn) {
			taken.connect()
			log.Info("nats connected", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { away.back(o.Name, nc.ConnectedUrlRedacted()) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				away.lost(o.Name, err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { away.still(o.Name, err) }),
		nats.ErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return // a server that accepts nothing is left, which is logged
			}
			attrs := []any{"err", err}
			if subject := refusedSubject(sub, err); subject != "" {
				attrs = append(attrs, "subject", subject)
			}
			if errors.Is(err, nats.ErrPermissionViolation) {
				attrs = append(attrs, "hint",
					"nats-creds and nats-reply-creds say who this is; 'protocolq nats-config' writes a user for each "+
						"part")
			}
			log.Error("nats refused something", attrs...)
			if o.Wait {
				taken.refused(nc, err)
			}
		}),
	}
}

// refusedSubject is the subject of an error, "" if it has none: for a publication the server names
// it only in its text.
func refusedSubject(sub *nats.Subscription, err error) string {
	if sub != nil {
		return sub.Subject
	}
	if _, quoted, ok := strings.Cut(err.Error(), ` to "`); ok {
		subject, _, _ := strings.Cut(quoted, `"`)
		return subject
	}
	return ""
}

// sayRefused logs why a server that is there is of no use. If it does not know us, somebody must
// act; one that hangs is treated as lost.
func (o Options) sayRefused(err error) {
	if !errors.Is(err, nats.ErrAuthorization) {
		o.Away.still(o.Name, err)
		return
	}
	o.Logger.Error("nats not connected, trying on", "connection", o.Name, "err", err, "hint",
		"the server does not know this user: nats-creds says who this is")
}

// Forbade is what the server has last forbidden this user, or nil. The server says so only to the
// connection; the request for a forbidden question just times out.
func Forbade(nc *nats.Conn) error {
	if word := nc.LastError(); errors.Is(word, nats.ErrPermissionViolation) {
		return word
	}
	return nil
}

// WhileAllowed ends as soon as the server forbids this user something: no answer will come.
func WhileAllowed(ctx context.Context, nc *nats.Conn) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	nc.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			cancel()
		}
	})
	return ctx, cancel
}

// Forbidden is the reason of a time-out if the server has forbidden something meanwhile, or nil.
func Forbidden(nc *nats.Conn, err error) error {
	word := Forbade(nc)
	if word == nil || !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return nil
	}
	return &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("%w: %w", err, word),
		Hint: "--nats-creds says who you are, --inbox-prefix which inboxes you have; deploy/nats/users.conf has a " +
			"user for each part"}
}

// isNoServer reports whether err says that no server could be reached at all: its name is unknown,
// nothing listens there, or the network does not answer. One that was reached and refuses (TLS
// says so by a net.OpError, too) is there.
func isNoServer(err error) bool {
	network, ok := errors.AsType[*net.OpError](err)
	return ok && network.Op == "dial" || errors.Is(err, nats.ErrNoServers)
}

// noServer gives the exit code and what to do for a NATS server that could not be reached, or that
// does not know this user.
func noServer(err error) error {
	switch {
	case isNoServer(err):
		return &cli.Error{Code: cli.ExitNoAnswer, Err: err,
			Hint: "is a NATS server running there? --nats or PROTOCOLQ_NATS says where"}
	case errors.Is(err, nats.ErrAuthorization):
		return &cli.Error{Code: cli.ExitOther, Err: err,
			Hint: "the server does not know this user: --nats-creds or PROTOCOLQ_NATS_CREDS says who you are"}
	}
	return err
}

// Dial connects a command for the person who waits for it: a missing server is an error with an
// exit code and what to do.
func Dial(cfg *settings.Config, name string) (*nats.Conn, error) { return DialAs(cfg, name, "") }

// DialAs is Dial with the command's own inbox prefix, unless a setting gives another.
func DialAs(cfg *settings.Config, name, inbox string) (*nats.Conn, error) {
	o := For(cfg, name, "")
	o.Inbox = cfg.Inbox(inbox)
	nc, err := Connect(o)
	if err != nil {
		return nil, noServer(err)
	}
	return nc, nil
}
