// Command kv is a nats.go micro service. A key's lock and then its result live in a
// JetStream KV bucket: Create takes the lock (one winner over all processes),
// the winner calls the gateway and updates the entry with the result, the
// others wait for that update on one watcher a process. File storage, so
// results survive the processes. With -make it makes the bucket, with as many
// replicas as there are servers, and ends.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"flag"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"github.com/vmihailenco/msgpack/v5"
	"golang.org/x/sync/singleflight"

	"protocolq/cmd/peerbench/payload"
	"protocolq/cmd/peerbench/peer"
)

const (
	locked byte = 'L'
	result byte = 'R'
	stale       = 40 * time.Second // a lock older than this is taken over
)

type store struct {
	kv jetstream.KeyValue

	mu    sync.Mutex
	wait  map[string][]chan []byte
	local map[string][]byte // results from the watcher
}

func (s *store) watch(w jetstream.KeyWatcher) {
	for e := range w.Updates() {
		if e == nil {
			continue
		}
		v := e.Value()
		s.mu.Lock()
		switch {
		case e.Operation() != jetstream.KeyValuePut:
			delete(s.local, e.Key())
		case len(v) > 0 && v[0] == result:
			s.local[e.Key()] = v[1:]
			for _, ch := range s.wait[e.Key()] {
				ch <- v[1:]
			}
			delete(s.wait, e.Key())
		}
		s.mu.Unlock()
	}
}

// await returns a channel that gets the key's result, or the result at once.
func (s *store) await(key string) (<-chan []byte, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.local[key]; ok {
		return nil, v
	}
	ch := make(chan []byte, 1)
	s.wait[key] = append(s.wait[key], ch)
	return ch, nil
}

func (s *store) lookup(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.local[key]
	return v, ok
}

// do returns the stored result of key, or makes it.
func (s *store) do(ctx context.Context, key string, f func() payload.Result) (payload.Result, error) {
	for {
		rev, v, err := s.claim(ctx, key)
		switch {
		case err != nil:
			return payload.Result{}, err
		case v != nil:
			var r payload.Result
			return r, msgpack.Unmarshal(v, &r)
		case rev == 0:
			continue
		}
		r := f()
		if !r.OK() { // free the key for a later try
			return r, s.kv.Delete(ctx, key, jetstream.LastRevision(rev))
		}
		b, err := msgpack.Marshal(&r)
		if err != nil {
			return r, err
		}
		_, err = s.kv.Update(ctx, key, append([]byte{result}, b...), rev)
		return r, err
	}
}

// claim returns the result of key, or the revision at which this process locked it. If it returns
// neither, try again.
func (s *store) claim(ctx context.Context, key string) (rev uint64, v []byte, err error) {
	rev, err = s.kv.Create(ctx, key, []byte{locked})
	if !errors.Is(err, jetstream.ErrKeyExists) {
		return rev, nil, err
	}
	ch, v := s.await(key)
	if v != nil {
		return 0, v, nil
	}
	e, err := s.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return 0, nil, nil
	case err != nil:
		return 0, nil, err
	}
	if v := e.Value(); len(v) > 0 && v[0] == result {
		return 0, v[1:], nil
	}
	if time.Since(e.Created()) >= stale {
		rev, err = s.kv.Update(ctx, key, []byte{locked}, e.Revision())
		if err != nil {
			return 0, nil, nil // another process was first
		}
		return rev, nil, nil
	}
	select {
	case v := <-ch:
		return 0, v, nil
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	case <-time.After(time.Second): // look again: the owner may have died
		return 0, nil, nil
	}
}

// keyOf makes a bucket key, which cannot hold an @, of an address.
func keyOf(email string) string {
	sum := sha256.Sum256([]byte(email))
	return base32.StdEncoding.EncodeToString(sum[:])[:26]
}

func main() {
	create := flag.Bool("make", false, "make the bucket, and end")
	mem := flag.Bool("memory", false, "with -make: keep the bucket in memory")
	replicas := flag.Int("replicas", 1, "with -make: of the bucket's stream")
	f := peer.Parse()
	nc, err := nats.Connect(f.NATS, nats.Name("kv"))
	peer.Must(err)
	js, err := jetstream.New(nc)
	peer.Must(err)
	if *create {
		peer.Must(provision(js, *mem, *replicas))
		return
	}
	s := open(js)
	var flying sync.WaitGroup
	svc, err := micro.AddService(nc, micro.Config{
		Name: "protocol-query", Version: "1.0.0", QueueGroup: "workers",
	})
	peer.Must(err)
	peer.Must(svc.AddEndpoint("query", s.handler(f, &flying),
		micro.WithEndpointSubject("protocol.query"), micro.WithEndpointPendingLimits(-1, -1)))
	peer.Must(nc.Flush())
	peer.Wait()
	_ = svc.Stop() // drains the subscription; then answer the present requests
	time.Sleep(20 * time.Millisecond)
	flying.Wait()
	_ = nc.Flush()
	nc.Close()
}

const bucket = "protocol-query"

// provision makes the bucket.
func provision(js jetstream.JetStream, mem bool, replicas int) error {
	c := jetstream.KeyValueConfig{Bucket: bucket, TTL: 10 * time.Minute, Storage: jetstream.FileStorage,
		Replicas: replicas}
	if mem {
		c.Storage = jetstream.MemoryStorage
	}
	_, err := js.CreateOrUpdateKeyValue(context.Background(), c)
	return err
}

// open follows the bucket.
func open(js jetstream.JetStream) *store {
	ctx := context.Background()
	kv, err := js.KeyValue(ctx, bucket)
	peer.Must(err)
	w, err := kv.WatchAll(ctx)
	peer.Must(err)
	s := &store{kv: kv, wait: map[string][]chan []byte{}, local: map[string][]byte{}}
	go s.watch(w)
	return s
}

// handler answers from the watcher's results, else through the bucket.
func (s *store) handler(f *peer.Flags, flying *sync.WaitGroup) micro.HandlerFunc {
	client, sem := f.Client(), make(chan struct{}, f.Concurrency)
	var group singleflight.Group
	answer := func(q payload.Query) (r payload.Result, err error) {
		key := keyOf(q.UserEmail)
		if b, ok := s.lookup(key); ok {
			return r, msgpack.Unmarshal(b, &r)
		}
		v, err, _ := group.Do(key, func() (any, error) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			return s.do(ctx, key, func() payload.Result {
				return peer.Call(client, sem, f.Tries, q.UserEmail)
			})
		})
		r, _ = v.(payload.Result)
		return r, err
	}
	return func(m micro.Request) {
		q, err := payload.DecodeRequest(m.Data())
		if err != nil {
			_ = m.Error("400", err.Error(), nil)
			return
		}
		flying.Go(func() {
			r, err := answer(q)
			if err != nil {
				_ = m.Error("500", err.Error(), nil)
				return
			}
			r.ID = q.ID
			if b, err := payload.EncodeReply(&r); err == nil {
				_ = m.Respond(b)
			}
		})
	}
}
