// What the door costs: the same queries over HTTP and over NATS, in turn.

package httpdoor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/messages/ask"
)

// BenchmarkDoor asks for two seconds by one door and then by the other, several times. It
// reports the medians of their answers per second, and of the ratio of neighbouring rounds. It
// does so for questions that are new, and for one that is remembered.
func BenchmarkDoor(b *testing.B) {
	const askers, span, rounds = 32, 2 * time.Second, 7
	shop := unbounded()
	bench := openBench(b, shop)
	nc, err := nats.Connect(bench.cfg.NATS[0])
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	client, err := ask.New(nc, ask.Options{Asker: "till"})
	if err != nil {
		b.Fatal(err)
	}
	over := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: askers}}
	doors := map[string]func(context.Context, string) error{
		"nats": func(ctx context.Context, email string) error {
			r, err := client.Ask(ctx, messages.Query{UserEmail: email, Partner: partner})
			if err == nil && r.Outcome != messages.Signed {
				err = fmt.Errorf("%+v", r)
			}
			return err
		},
		"http": func(ctx context.Context, email string) error { return postOne(ctx, over, bench.url, email) },
	}
	var serial atomic.Int64
	for load, email := range map[string]func() string{
		"new":        func() string { return "signed@" + strconv.FormatInt(serial.Add(1), 10) + ".example.com" },
		"remembered": func() string { return "signed@example.com" },
	} {
		b.Run(load, func(b *testing.B) {
			figures := map[string][]float64{}
			for b.Loop() {
				for range rounds {
					for _, name := range []string{"nats", "http"} {
						figures[name] = append(figures[name], answers(b, askers, span, func(ctx context.Context) error { return doors[name](ctx, email()) }))
					}
					n := len(figures["http"]) - 1
					figures["http/nats"] = append(figures["http/nats"], figures["http"][n]/figures["nats"][n])
				}
			}
			for name, list := range figures {
				slices.Sort(list)
				unit := name
				if name != "http/nats" {
					unit += "-answers/s"
				}
				b.ReportMetric(list[len(list)/2], unit)
			}
		})
	}
}

// unbounded returns an asker that no bound holds back.
func unbounded() Asker {
	return Asker{Name: "shop", Partners: []string{partner}, Rate: mostRate, Burst: mostRate, Waiting: mostWaiting, hashes: []tokenHash{hashOf(tokens["shop"])}}
}

// answers lets that many askers ask at once for that time and returns the answers per second.
func answers(b *testing.B, askers int, span time.Duration, ask func(context.Context) error) float64 {
	b.Helper()
	var n atomic.Int64
	var asking sync.WaitGroup
	began := time.Now()
	for range askers {
		asking.Go(func() {
			for time.Since(began) < span {
				if err := ask(b.Context()); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	asking.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

func postOne(ctx context.Context, c *http.Client, url, email string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/queries", bytes.NewReader([]byte(`{"user_email":"`+email+`"}`)))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+tokens["shop"])
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Prefer", "wait=30")
	w, err := c.Do(r)
	if err != nil {
		return err
	}
	defer w.Body.Close()
	if body, err := io.ReadAll(w.Body); err != nil || w.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"signed"`)) {
		return fmt.Errorf("%d %s %w", w.StatusCode, body, err)
	}
	return nil
}
