// Records on real servers, in the test's own process: what only a server can refuse or bring.

package record_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/publish"
	"protocolq/worker/record"
)

// connect starts so many servers and connects to the first of them.
func connect(t *testing.T, servers int) jetstream.JetStream {
	t.Helper()
	var routes []*url.URL
	var places []net.Listener
	for range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, l)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()})
	}
	for _, l := range places {
		_ = l.Close() // the servers take their places
	}
	var first *server.Server
	for i, route := range routes {
		o := server.Options{ServerName: fmt.Sprint("s", i), DontListen: servers == 1, Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
		if servers > 1 {
			_, port, _ := net.SplitHostPort(route.Host)
			o.Routes, o.Cluster = routes, server.ClusterOpts{Name: "test", Host: "127.0.0.1"}
			if _, err := fmt.Sscan(port, &o.Cluster.Port); err != nil {
				t.Fatal(err)
			}
		}
		srv, err := server.NewServer(&o)
		if err != nil {
			t.Fatal(err)
		}
		go srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		if first == nil {
			first = srv
		}
	}
	if !first.ReadyForConnections(10 * time.Second) {
		t.Fatal("server not ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(first))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// provisioned makes the stream R of records, with so many copies.
func provisioned(t *testing.T, js jetstream.JetStream, copies int) {
	t.Helper()
	var err error
	within(t, "the stream is made", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: "R", Subjects: []string{"r.>"}, MaxMsgsPerSubject: 1, MaxBytes: 16 << 10,
			Discard: jetstream.DiscardNew, AllowDirect: true, Replicas: copies, RePublish: &jetstream.RePublish{Source: "r.>", Destination: "changed.r.>"}})
		return err == nil
	})
}

func streamOf(js jetstream.JetStream) *record.Stream {
	nc := js.Conn()
	return record.NewStream(record.Options{NATS: nc, To: publish.New(nc), Name: "R", Subject: "r.", Changed: "changed.r."})
}

func newStream(t *testing.T, servers int) *record.Stream {
	t.Helper()
	js := connect(t, servers)
	provisioned(t, js, servers)
	s := streamOf(js)
	// A stream of several copies is there before it has a leader.
	within(t, "the stream has a leader", func() bool {
		_, err := s.Put(t.Context(), "leader", nil, 0)
		if err == nil {
			return true
		}
		r, err := s.Get(t.Context(), "leader") // the first try may have been stored, its answer lost
		return err == nil && r.Seq != 0
	})
	return s
}

// A refusal says by its class that nothing was written, and by its text why.
func TestRefusalsOfAServer(t *testing.T) {
	t.Parallel()
	js := connect(t, 1)
	s := streamOf(js)
	if _, err := s.Put(t.Context(), "a", []byte("one"), 0); !errors.Is(err, record.ErrAway) || !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("without a stream: %v", err)
	}
	if _, err := s.Get(t.Context(), "a"); err == nil {
		t.Error("a record was read without a stream")
	}
	provisioned(t, js, 1)
	_, err := s.Put(t.Context(), "large", make([]byte, 17<<10), 0)
	if !errors.Is(err, record.ErrFull) || !publish.Full(err) {
		t.Errorf("without room: %v", err)
	}
	if r, err := s.Get(t.Context(), "large"); err != nil || r.Seq != 0 {
		t.Errorf("without room: %+v, %v", r, err)
	}
}

// What has no sequence or no time is an error for who watches, never a record.
func TestWatchTellsWhatIsNoRecord(t *testing.T) {
	t.Parallel()
	js := connect(t, 1)
	s := streamOf(js)
	seen := make(chan error, 4)
	stop, err := s.Watch("*", func(r record.Record, err error) {
		if err == nil {
			t.Errorf("read as %+v", r)
		}
		seen <- err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for fault, m := range map[string]*nats.Msg{
		"its sequence": {Subject: "changed.r.a", Data: []byte("one")},
		"its time":     {Subject: "changed.r.a", Header: nats.Header{jetstream.SequenceHeader: {"7"}}},
	} {
		if err := js.Conn().PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		if err := <-seen; err == nil || !strings.Contains(err.Error(), "read record a: "+fault) {
			t.Errorf("%s: %v", fault, err)
		}
	}
}

// silent is a publisher whose acknowledgements are lost.
type silent struct{}

func (silent) Publish(ctx context.Context, _ *nats.Msg) (uint64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}
