// An orchestration: one effect for each run of the gateway, made from events.

// Orchestration reads orders as lines "id,e-mail" from its standard input and asks for each.
// Effects are made only from events. So there is an effect even if this program was not running
// when the answer came, and only one, however often an event is delivered:
//
//	orders ──► Ask ──► workers ──► event of the run ──► Events ──► one transaction: run and effect
//	  ▲         │                                                      │
//	  └─────────┴── unknown: no effect, asked again after ◄────────────┘
//	                retry_after_ms
//
// It needs protocolq provision --listener ledger.
package main

import (
	"bufio"
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go"

	"protocolq/messages/ask"
)

func main() {
	url := flag.String("nats", nats.DefaultURL, "where NATS is")
	file := flag.String("store", "orchestration.db", "the SQLite file that keeps orders and effects")
	listener := flag.String("listener", "ledger", "this program's name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, log, *url, *file, *listener); err != nil {
		log.Error("orchestration ends", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger, url, file, listener string) error {
	store, err := open(ctx, file)
	if err != nil {
		return err
	}
	defer store.Close()
	nc, err := nats.Connect(url, nats.CustomInboxPrefix("_INBOX_"+listener), nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	client, err := ask.New(nc, ask.Options{})
	if err != nil {
		return err
	}
	if err := take(ctx, store, os.Stdin); err != nil {
		return err
	}
	o := &orchestration{client: client, store: store, log: log}
	asking := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	go func() { defer stop(); asking <- o.askAll(ctx) }()
	err = client.Events(ctx, ask.ReadOptions{Name: listener, Logger: log}, o.follow)
	stop()
	if failed := <-asking; failed != nil {
		return failed
	}
	return err
}

// take stores the new orders.
func take(ctx context.Context, s *store, from io.Reader) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if id, email, ok := strings.Cut(lines.Text(), ","); ok {
			if err := s.add(ctx, id, email); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}
