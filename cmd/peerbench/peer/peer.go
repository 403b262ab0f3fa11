// Package peer holds what the hand-written baseline workers share.
package peer

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/singleflight"

	"protocolq/cmd/peerbench/gw"
	"protocolq/cmd/peerbench/payload"
)

// Flags are the options every baseline worker takes.
type Flags struct {
	NATS, Gateway, Partner, Key, KeyFile string
	Concurrency, Tries                   int
	Cache                                time.Duration
}

// Parse reads the command line.
func Parse() *Flags {
	f := &Flags{}
	flag.StringVar(&f.NATS, "nats", "nats://127.0.0.1:4222", "server")
	flag.StringVar(&f.Gateway, "gateway", "http://127.0.0.1:8080/gateway.do", "gateway URL")
	flag.StringVar(&f.Partner, "partner", gw.DefaultPartner, "partner id")
	flag.StringVar(&f.Key, "key", gw.DefaultKey, "MD5 key")
	flag.StringVar(&f.KeyFile, "key-file", "", "file with the MD5 key, in place of -key")
	flag.IntVar(&f.Concurrency, "concurrency", 512, "gateway calls at once")
	flag.IntVar(&f.Tries, "tries", 6, "tries a call")
	flag.DurationVar(&f.Cache, "cache", 0, "keep results this long in the process (0: no)")
	flag.Parse()
	if f.KeyFile != "" {
		b, err := os.ReadFile(f.KeyFile)
		Must(err)
		f.Key = strings.TrimSpace(string(b))
	}
	return f
}

// Client makes the gateway client.
func (f *Flags) Client() *gw.Client {
	return gw.NewClient(f.Gateway, f.Partner, f.Key, f.Concurrency)
}

// Wait blocks until the process is told to stop.
func Wait() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM)
	<-ch
}

// FromAnswer builds the result without its id.
func FromAnswer(a *gw.Answer, err error) payload.Result {
	if err != nil {
		code := "GATEWAY_ERROR"
		if a != nil && a.Error != "" {
			code = a.Error
		}
		return payload.Result{Outcome: payload.Unknown, Code: code}
	}
	r := payload.Result{
		Code: a.Error, UserID: a.UserID,
		ChargeAgent: a.ChargeAgent == "T", RefundCharge: a.RefundCharge == "T",
	}
	switch {
	case a.IsSuccess == "T" && (r.ChargeAgent || r.RefundCharge):
		r.Outcome = payload.Signed
	case a.IsSuccess == "T" && a.ChargeAgent == "F" && a.RefundCharge == "F",
		a.IsSuccess == "F" && a.Error == "NO_SIGN_CUSTOMER":
		r.Outcome = payload.NotSigned
	case a.IsSuccess == "F" && a.Error == "NO_NORMAL_SIGN_CUSTOMER":
		r.Outcome = payload.Abnormal
	case a.IsSuccess == "F":
		r.Outcome = payload.Refused
	default:
		r.Outcome = payload.Unknown
	}
	return r
}

// Shared runs one function for each key at a time, and remembers good results.
type Shared struct {
	TTL   time.Duration
	group singleflight.Group
	cache sync.Map // key -> entry
}

type entry struct {
	r   payload.Result
	end time.Time
}

// Do returns the remembered, the running or a new result for key.
func (s *Shared) Do(key string, f func() payload.Result) payload.Result {
	if s.TTL > 0 {
		if v, ok := s.cache.Load(key); ok {
			if e := v.(entry); time.Now().Before(e.end) {
				return e.r
			}
			s.cache.Delete(key)
		}
	}
	v, _, _ := s.group.Do(key, func() (any, error) {
		if s.TTL > 0 { // another flight may have ended between Load and Do
			if v, ok := s.cache.Load(key); ok {
				return v.(entry).r, nil
			}
		}
		r := f()
		if s.TTL > 0 && r.OK() {
			s.cache.Store(key, entry{r, time.Now().Add(s.TTL)})
		}
		return r, nil
	})
	return v.(payload.Result)
}

// Call is a whole gateway call with retries, bounded by sem.
func Call(c *gw.Client, sem chan struct{}, tries int, email string) payload.Result {
	sem <- struct{}{}
	defer func() { <-sem }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	a, err := c.Backoff(ctx, email, tries)
	return FromAnswer(a, err)
}

// Must ends the process on an error.
func Must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
