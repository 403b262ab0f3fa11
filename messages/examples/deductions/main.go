// A deduction service: it debits an account only if its holder agreed, and answers in time.

// Deductions debits orders over HTTP:
//
//	curl -X POST 'http://127.0.0.1:8080/debits/order-17?email=zhang@example.com'
//
//	200 debited       once for each order, however often it is posted
//	409 declined      the gateway says that there is no agreement to debit this account
//	422 refused       the request is wrong, or this program may not ask: nothing is debited
//	503 unknown       nobody knows: nothing is debited; post it again after Retry-After
//
// Each answer comes within the time given by -within, even if workers, gateway or NATS are
// unavailable. That time is sent with the question, so that no worker works for a caller that has
// left.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages/ask"
)

func main() {
	url := flag.String("nats", nats.DefaultURL, "where NATS is")
	file := flag.String("store", "debits.db", "the SQLite file that keeps the debits")
	listen := flag.String("listen", "127.0.0.1:8080", "where to listen")
	within := flag.Duration("within", 2*time.Second, "how long a request may take")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, log, *url, *file, *listen, *within); err != nil {
		log.Error("deductions end", "err", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, log *slog.Logger, url, file, listen string, within time.Duration) error {
	store, err := open(ctx, file)
	if err != nil {
		return err
	}
	defer store.Close()
	nc, err := nats.Connect(url, nats.CustomInboxPrefix("_INBOX_deduction"), nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	client, err := ask.New(nc, ask.Options{Try: within / 4})
	if err != nil {
		return err
	}
	door, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	s := &service{ask: client.Ask, store: store, within: within, room: make(chan struct{}, 100), log: log}
	web := &http.Server{Handler: s.handler(), ReadHeaderTimeout: within}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(door) }()
	log.Info("listening", "address", door.Addr().String())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*within)
	defer cancel()
	if err := errors.Join(web.Shutdown(grace), <-ended); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
