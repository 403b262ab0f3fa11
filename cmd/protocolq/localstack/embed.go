// A whole NATS server with JetStream inside this process, for those who do not run one.

package localstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"protocolq/cmd/protocolq/cli"
)

// NATSOptions say how to run the embedded server. The zero value of a field is its default.
type NATSOptions struct {
	Listen string       // host:port; "127.0.0.1:0" (any free port) when empty
	Data   string       // directory of the streams; "" makes one that Close removes
	Logger *slog.Logger // warnings and errors of the server; nil discards
}

// NATS is a running server.
type NATS struct {
	server    *server.Server
	data      string
	temporary bool
	lock      *os.File
}

// maxPayload bounds one message with its headers: the largest query or result (64 KiB) and room for
// the headers that are added on its way. It does not bound JetStream's own messages inside the
// server (measured with lists of 256 consumers).
const maxPayload = 128 << 10

// StartNATS runs a server until Close. The server is ready when StartNATS returns.
func StartNATS(o NATSOptions) (*NATS, error) {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	host, port, err := SplitListen(o.Listen)
	if err != nil {
		return nil, err
	}
	e := &NATS{data: o.Data}
	if e.data == "" {
		if e.data, err = cli.TemporaryDir("protocolq-"); err != nil {
			return nil, err
		}
		e.temporary = true
	}
	if err := e.start(host, port, o.Logger); err != nil {
		e.Close()
		return nil, fmt.Errorf("start the embedded NATS server on %s: %w", o.Listen, err)
	}
	return e, nil
}

// SplitListen parses host:port.
func SplitListen(address string) (string, int, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: must be host:port", address)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("address %q: the port must be a number up to 65535", address)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, port, nil
}

// ServerName is the server's name for clients.
const ServerName = "protocolq-embedded"

// lockDirectory keeps other servers away from the same files, which two servers would destroy.
func (e *NATS) lockDirectory() (err error) {
	if e.lock, err = os.OpenFile(filepath.Join(e.data, "protocolq.lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err = cli.Lock(e.lock); err != nil {
		return fmt.Errorf("%s: %w", e.data, err)
	}
	return nil
}

func (e *NATS) start(host string, port int, logger *slog.Logger) error {
	if err := os.MkdirAll(e.data, 0o700); err != nil {
		return err
	}
	if err := e.lockDirectory(); err != nil {
		return err
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: ServerName,
		Host:       host,
		Port:       port,
		NoSigs:     true, // we handle signals: the workers drain before their server stops
		JetStream:  true,
		StoreDir:   filepath.Clean(e.data),
		SyncAlways: true, // an acknowledged message is on the disk; the default is every 2 minutes
		MaxPayload: maxPayload,
		// A half-open client keeps its share of a queue group until that is noticed.
		PingInterval: 10 * time.Second,
		MaxPingsOut:  2,
	})
	if err != nil {
		return err
	}
	e.server = ns
	lines := newServerLog(logger)
	ns.SetLoggerV2(lines, false, false, false)
	ready := make(chan bool, 1)
	go func() { ready <- ns.ReadyForConnections(10 * time.Second) }()
	ns.Start()
	select {
	case text := <-lines.fatal:
		return errors.New(text)
	case ok := <-ready:
		if !ok {
			return errors.New("does not answer")
		}
	}
	if !ns.JetStreamEnabled() {
		return errors.New("has no JetStream; is its directory full?")
	}
	return nil
}

// URL is where clients connect to.
func (e *NATS) URL() string { return e.server.ClientURL() }

// Close stops the server and removes the directory if it was made here.
func (e *NATS) Close() {
	if e.server != nil {
		e.server.Shutdown()
		e.server.WaitForShutdown()
	}
	if e.lock != nil {
		_ = e.lock.Close()
	}
	if e.temporary {
		cli.RemoveTemporary(e.data)
	}
}

// serverLog passes the server's own lines to our log. Its notices are only of use for debugging it.
type serverLog struct {
	to    *slog.Logger
	fatal chan string // the first reason for which it cannot run
}

// Logger is a NATS server's logger that writes into to; nil discards.
func Logger(to *slog.Logger) server.Logger { return newServerLog(to) }

func newServerLog(to *slog.Logger) *serverLog {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	return &serverLog{to: to, fatal: make(chan string, 1)}
}

// Noticef and its like make serverLog the server's logger.
func (l *serverLog) Noticef(format string, v ...any) { l.tell(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.tell(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.tell(slog.LevelError, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.tell(slog.LevelDebug, format, v) }
func (l *serverLog) Tracef(string, ...any)           {}

// Fatalf keeps the reason. The server expects a logger to end the process here, but it is not the
// server's process.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}

func (l *serverLog) tell(level slog.Level, format string, v []any) {
	l.to.Log(context.Background(), level, "nats server", "line", strings.TrimSpace(fmt.Sprintf(format, v...)))
}
