// A refund pipeline: each refund is checked, and paid only if the account's holder agreed.

// Refunds reads refunds as lines "id,e-mail" from its standard input, has the workers check each
// account, and pays if the gateway says that it may. It can be stopped, killed and started again at
// any time, with the same lines or without: questions go on, and no refund is paid twice.
//
//	lines ──► store ──► Submit ──► workers ──► Replies ──► paid · stopped
//	            ▲                                 │
//	            └── unknown: nothing is paid, ────┘
//	                asked again after retry_after_ms
//
// It needs protocolq provision --asker refunds.
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
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages/ask"
)

func main() {
	url := flag.String("nats", nats.DefaultURL, "where NATS is")
	file := flag.String("store", "refunds.db", "the SQLite file that keeps the refunds")
	asker := flag.String("asker", "refunds", "this program's name")
	patience := flag.Duration("patience", time.Hour, "how long a question may wait for its answer")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, log, *url, *file, *asker, *patience); err != nil {
		log.Error("refunds end", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger, url, file, asker string, patience time.Duration) error {
	store, err := open(ctx, file)
	if err != nil {
		return err
	}
	defer store.Close()
	nc, err := nats.Connect(url, nats.CustomInboxPrefix("_INBOX_"+asker), nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	client, err := ask.New(nc, ask.Options{Asker: asker})
	if err != nil {
		return err
	}
	if err := take(ctx, store, os.Stdin); err != nil {
		return err
	}
	p := &pipeline{client: client, store: store, patience: patience, log: log}
	checking := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	go func() { defer stop(); checking <- p.check(ctx) }()
	err = client.Replies(ctx, ask.ReadOptions{Logger: log}, p.answered)
	stop()
	if failed := <-checking; failed != nil {
		return failed
	}
	return err
}

// take stores the new refunds.
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
