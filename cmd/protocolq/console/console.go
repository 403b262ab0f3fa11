// Runs the page, from its settings to its end.

package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/net/netutil"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/audit"
	"protocolq/cmd/protocolq/console/fleet"
	"protocolq/cmd/protocolq/console/letters"
	"protocolq/cmd/protocolq/console/lookup"
	"protocolq/cmd/protocolq/console/queries"
	"protocolq/cmd/protocolq/console/watches"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/dead"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/cmd/protocolq/probes"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/messages/ask"
	"protocolq/worker/ops"
)

// Serve answers on l until ctx ends. ready, which may be nil, is called with the page's address
// once the page answers.
func Serve(ctx context.Context, cfg *settings.Config, log *slog.Logger, l net.Listener,
	ready func(address string)) error {
	side, err := probes.Open(ctx, cfg, log)
	if err != nil {
		return err
	}
	nc, err := connect(cfg, log)
	if err != nil {
		return err
	}
	defer nc.Close()
	o, closeAudit, err := options(cfg, log)
	if err != nil {
		return err
	}
	defer closeAudit()
	rows := &queryLog{url: cfg.Database}
	defer func() { _ = rows.close() }() // it was only read
	var run []func(context.Context)
	figures := ops.NewConsole()
	if o.Sections, run, err = sections(cfg, nc, parts{log, rows, o.Audit, o.Users, figures}); err != nil {
		return err
	}
	page, err := web.New(o)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	names, err := messages.NewNames(cfg.Prefix)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	looking, stop := context.WithCancel(context.WithoutCancel(ctx))
	var beside sync.WaitGroup
	for _, f := range run {
		beside.Go(func() { f(looking) })
	}
	beside.Go(func() { side.Run(looking, shown(ctx, nc, names, figures)) })
	defer func() { stop(); beside.Wait() }()
	if ready != nil {
		ready(address(cfg, l))
	}
	return serve(ctx, l, counted(page, figures.Seen), log)
}

// address is the page's address for readers.
func address(cfg *settings.Config, l net.Listener) string {
	if cfg.Console.URL != "" {
		return cfg.Console.URL
	}
	return "http://" + l.Addr().String()
}

// inbox is the inbox of an asker: workers send no reply to inboxes of the fleet itself.
const inbox = "_INBOX_console"

// connect waits for NATS as long as necessary. Meanwhile the page says that NATS is unavailable.
func connect(cfg *settings.Config, log *slog.Logger) (*nats.Conn, error) {
	c := natsconn.For(cfg, "console", "")
	c.Inbox, c.Wait, c.Logger = cfg.Inbox(inbox), true, log
	nc, err := natsconn.Connect(c)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return nc, nil
}

// parts are what sections share.
type parts struct {
	log     *slog.Logger
	rows    *queryLog
	audit   audit.Log
	users   *access.Users
	figures *ops.Console
}

// sections are the entries of the navigation, in their order, and what runs in the background for
// them.
func sections(cfg *settings.Config, nc *nats.Conn, p parts) ([]web.Section, []func(context.Context), error) {
	asker, err := ask.New(nc, ask.Options{Prefix: cfg.Prefix})
	if err != nil {
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	submitter, err := ask.New(nc, ask.Options{Prefix: cfg.Prefix, Asker: messages.ConsoleName,
		API: cfg.JetStreamAPI()})
	if err != nil {
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	hasher, err := cfg.Hasher()
	if err != nil {
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	names, err := messages.NewNames(cfg.Prefix)
	if err != nil {
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	js, err := natsconn.JetStream(nc, cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("console: %w", err)
	}
	records := newSwitches(nc, js, names, cfg.JetStreamAPI())
	poller := fleet.NewPoller(fleet.PollerOptions{NATS: nc, JetStream: js, Names: names, Records: records,
		Logger: p.log})
	watched := watches.New(watches.Options{NATS: nc, JetStream: js, API: cfg.JetStreamAPI(), Names: names,
		Asker: submitter, May: mayAsk(p.users, cfg.Console.Partners), Logger: p.log,
		Webhook: told(cfg), Page: cfg.PageAt("/watches"), Told: p.figures.Told})
	all := []web.Section{
		lookup.New(lookup.Options{Asker: asker, Partners: cfg.Console.Partners, Watch: watched, Logger: p.log}),
		watched.Section(),
		fleet.New(poller.History),
		queries.New(queries.Options{Database: p.rows.open, Hasher: hasher, Logger: p.log}),
	}
	return append(all,
			letters.New(letters.Options{Box: dead.NewBox(nc, js, names, cmp.Or(cfg.JetStreamAPI(), "$JS.API")),
				Switches: records, Audit: p.audit, Partners: cfg.Console.Partners, Hasher: hasher, Logger: p.log})...),
		[]func(context.Context){poller.Run, watched.Run},
		nil
}

// mayAsk reports whether the user with a key may ask for a partner, by the present file of users.
// The error says that the file cannot be read.
func mayAsk(users *access.Users, all []string) func(by, partner string) (bool, error) {
	return func(by, partner string) (_ bool, err error) {
		u := access.User{Role: access.Operator} // without a file, everybody on this machine
		if users != nil {
			u, _, err = users.Look(access.NameOf(by))
			if u.Key() != by { // another user of the same name
				u = access.User{}
			}
		}
		return u.Role.May(access.Ask) && lookup.May(u, all, partner), err
	}
}

// options are the server's options, except its sections.
func options(cfg *settings.Config, log *slog.Logger) (web.Options, func(), error) {
	nothing := func() {}
	o := web.Options{Logger: log, Header: cfg.Console.ProxyHeader}
	fault := func(setting string, err error) (web.Options, func(), error) {
		return o, nothing, &cli.Error{Code: cli.ExitUsage, Err: &settings.Fault{Setting: setting, Err: err}}
	}
	var err error
	if o.Proxies, err = cfg.ConsoleProxies(); err != nil {
		return fault("console-proxies", err)
	}
	if cfg.Console.URL != "" {
		if o.URL, err = url.Parse(cfg.Console.URL); err != nil {
			return fault("console-url", err)
		}
	}
	if path := cfg.Console.UsersFile; path != "" {
		if o.Users, err = access.OpenUsers(path); err != nil {
			return fault("console-users-file", err)
		}
	}
	var key []byte
	if path := cfg.Console.SessionKeyFile; path != "" {
		source := cfg.SecretFile(path)
		if key, err = source.Material, source.Err; err != nil {
			return fault("console-session-key-file", err)
		}
	}
	if o.Sealer, err = access.NewSealer(key); err != nil {
		return fault("console-session-key-file", err)
	}
	if o.SignOn, err = signOn(cfg, o.Sealer); err != nil {
		return fault("console-oidc-client-secret-file", err)
	}
	rows := audit.Memory()
	if path := cfg.Console.AuditFile; path != "" {
		if rows, err = audit.Open(path); err != nil {
			return fault("console-audit-file", err)
		}
	}
	o.Audit = rows
	return o, func() {
		if err := rows.Close(); err != nil {
			log.Error("audit file not closed", "err", err)
		}
	}, nil
}

// Time limits for each part of a request. Streams set their own.
const (
	headTime = 10 * time.Second
	bodyTime = 30 * time.Second
	pageTime = 60 * time.Second
	idleTime = 2 * time.Minute
	endTime  = 5 * time.Second
	// connections bounds the open connections, including those of streams.
	connections = 4096
)

// serve answers until ctx ends. Pages in progress then have a moment to finish.
func serve(ctx context.Context, l net.Listener, page http.Handler, log *slog.Logger) error {
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	server := &http.Server{Handler: page, ReadHeaderTimeout: headTime, ReadTimeout: bodyTime, WriteTimeout: pageTime,
		IdleTimeout:    idleTime,
		MaxHeaderBytes: 32 << 10, BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	server.RegisterOnShutdown(stop) // ends the streams
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(l, connections)) }()
	select {
	case err := <-ended:
		return fmt.Errorf("console: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}
