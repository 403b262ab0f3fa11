// Everything in one process, for dev and demo: NATS with JetStream, the practice gateway, workers.

package localstack

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/serve"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
)

// Options say what to run. The zero value of a field is its default.
type Options struct {
	Config        *settings.Config // of the workers; its NATS and GatewayURL are filled in
	Data          string           // directory that keeps the streams; "" keeps nothing
	NATSListen    string           // "127.0.0.1:0"
	GatewayListen string           // "127.0.0.1:0"
	Workers       int              // 2
	Simulator     simulator.Options
	Logger        *slog.Logger
}

// Stack is everything, running.
type Stack struct {
	dir        string // where the query log is
	temporary  bool   // dir is removed at the end
	Database   string // the query log's URL
	hasher     *querylog.Hasher
	nats       *NATS
	Sim        *simulator.Simulator
	gate, log  net.Listener
	stop       context.CancelFunc // ends workers and gateway
	running    sync.WaitGroup
	mu         sync.Mutex // guards failed
	failed     []error
	stopWorker context.CancelFunc
	workers    sync.WaitGroup
}

// Open starts everything; when it returns, everything is ready. Close it.
func Open(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{}
	if err := s.open(ctx, &o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stack) open(ctx context.Context, o *Options) error {
	if o.Workers == 0 {
		o.Workers = 2
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	data := o.Data
	if data != "" {
		data = filepath.Join(data, "nats")
	}
	var err error
	if s.nats, err = StartNATS(NATSOptions{Listen: o.NATSListen, Data: data, Logger: o.Logger}); err != nil {
		return err
	}
	o.Config.NATS = []string{s.nats.URL()}
	if err := s.provision(ctx, o.Config.Prefix); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if err := s.openLog(background, o); err != nil {
		return err
	}
	if err := s.openGateway(background, o); err != nil {
		return err
	}
	o.Config.GatewayURL, o.Config.UnsafeGateway = s.URLs()["gateway"], true
	// There is no proxy between this gateway and its callers.
	o.Config.GatewayReuseAfter = cmp.Or(o.Config.GatewayReuseAfter, time.Nanosecond)
	return s.openWorkers(ctx, background, o)
}

func (s *Stack) provision(ctx context.Context, prefix string) error {
	names, err := messages.NewNames(prefix)
	if err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	nc, err := nats.Connect("", nats.InProcessServer(s.nats.server), nats.Name("protocolq provision"))
	if err != nil {
		return fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if _, err := provision.Apply(ctx, js, provision.Options{Names: names, Update: true}); errors.Is(err,
		provision.ErrWaiting) {
		return &cli.Error{Code: cli.ExitOther, Err: fmt.Errorf("provision: %w", err),
			Hint: "take another directory for --data, or remove this one: its queries are for practice"}
	} else if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	return nil
}

// logdb.Open makes the key of the query log, if there is none, and runs a recorder into SQLite.
func (s *Stack) openLog(ctx context.Context, o *Options) (err error) {
	if s.dir = o.Data; s.dir == "" {
		if s.dir, err = cli.TemporaryDir("protocolq-log-"); err != nil {
			return err
		}
		s.temporary = true
	}
	path, err := filepath.Abs(s.dir)
	if err != nil {
		return fmt.Errorf("query log: %w", err)
	}
	o.Config.Database, o.Config.LogHMACKeyFile = "sqlite://"+filepath.Join(path, "log.db"), filepath.Join(path,
		"log-hmac.key")
	if err := makeKey(o.Config.LogHMACKeyFile); err != nil {
		return err
	}
	if s.hasher, err = o.Config.Hasher(); err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	s.Database = o.Config.Database
	ready, ended := make(chan struct{}), make(chan struct{})
	s.running.Go(func() {
		s.fail(logdb.Recorder(ctx, o.Config, o.Logger, func() { close(ready) }))
		close(ended)
	})
	select {
	case <-ready:
		return nil
	case <-ended:
		return errors.New("the recorder ended before it was ready")
	}
}

// makeKey makes a key file of 32 random bytes in hex, unless there is one.
func makeKey(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	if err := os.WriteFile(path, []byte(hex.EncodeToString(key)+"\n"), 0o600); err != nil {
		return fmt.Errorf("make the query log's key: %w", err)
	}
	return nil
}

func (s *Stack) openGateway(ctx context.Context, o *Options) error {
	o.Simulator.Partners = PracticeAskers(settings.PracticePartners())
	var err error
	if s.Sim, err = simulator.New(o.Simulator); err != nil {
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	if s.gate, err = net.Listen("tcp", cmp.Or(o.GatewayListen, "127.0.0.1:0")); err != nil {
		return fmt.Errorf("open the practice gateway's address: %w", err)
	}
	if s.log, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return fmt.Errorf("open the call log's address: %w", err)
	}
	s.running.Go(func() { s.fail(s.Sim.Serve(ctx, s.gate, s.log)) })
	return nil
}

func (s *Stack) openWorkers(ctx, background context.Context, o *Options) error {
	working, stop := context.WithCancel(background)
	s.stopWorker = stop
	ready := make(chan struct{}, o.Workers)
	ended := make(chan struct{}, o.Workers)
	for range o.Workers {
		s.workers.Go(func() {
			s.fail(serve.Worker(working, o.Config, settings.PracticePartners(), s.hasher, o.Logger,
				func() { ready <- struct{}{} }))
			ended <- struct{}{}
		})
	}
	for range o.Workers {
		select {
		case <-ready:
		case <-ended:
			return errors.New("a worker ended before it was ready")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *Stack) fail(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, err)
}

// URLs are the addresses of everything, by the names that scripts use.
func (s *Stack) URLs() map[string]string {
	return map[string]string{
		"nats":        s.nats.URL(),
		"gateway":     "http://" + s.gate.Addr().String() + simulator.Path,
		"gateway_log": "http://" + s.log.Addr().String(),
		"database":    s.Database,
	}
}

// Close drains the workers, then ends the gateway and NATS. The error joins the errors of all of
// them.
func (s *Stack) Close() error {
	if s.stopWorker != nil {
		s.stopWorker()
		s.workers.Wait()
	}
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
	for _, l := range []net.Listener{s.gate, s.log} {
		if l != nil {
			_ = l.Close()
		}
	}
	if s.nats != nil {
		s.nats.Close()
	}
	if s.temporary {
		cli.RemoveTemporary(s.dir)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.failed...)
}

// CheckData checks a --data directory before anything is made in it.
func CheckData(dir string) error {
	if dir == "" {
		return nil
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return cli.Usage("--data: %s is not a directory", dir)
	}
	return nil
}
