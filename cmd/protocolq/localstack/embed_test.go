// The embedded server: what it accepts, what it leaves behind, what it keeps, and how soon a
// wrong setting is reported.

package localstack

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
)

func TestEmbedded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	e, err := StartNATS(NATSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := natsconn.Connect(natsconn.Options{Servers: []string{e.URL()}, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Duplicates: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	// The largest message, with the headers that are added on its way.
	largest := nats.NewMsg("s.a")
	largest.Data = make([]byte, messages.MaxMessage)
	largest.Header.Set(messages.HeaderReplyTo, strings.Repeat("x", 255))
	if _, err := js.PublishMsg(ctx, largest, jetstream.WithMsgID("1")); err != nil {
		t.Errorf("publish %d bytes: %v", len(largest.Data), err)
	}
	if err := nc.Publish("s.a", make([]byte, maxPayload+1)); err == nil {
		t.Error("a message above the bound was taken")
	}
	consumersAreListed(ctx, t, s)
	nc.Close()
	e.Close()
	if left, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// consumersAreListed makes the server send lists that are larger than one message may be.
func consumersAreListed(ctx context.Context, t *testing.T, s jetstream.Stream) {
	t.Helper()
	const n = 300
	for range n {
		_, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{FilterSubject: "s.a", MemoryStorage: true, AckPolicy: jetstream.AckExplicitPolicy,
			Description: strings.Repeat("d", 1000)})
		if err != nil {
			t.Fatal(err)
		}
	}
	list, found := s.ListConsumers(ctx), 0
	for range list.Info() {
		found++
	}
	if list.Err() != nil || found != n {
		t.Errorf("%d of %d consumers listed: %v", found, n, list.Err())
	}
}

func TestEmbeddedKeepsData(t *testing.T) {
	dir := t.TempDir()
	for run := range 2 {
		e, err := StartNATS(NATSOptions{Data: dir})
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect(e.URL())
		if err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		if run == 0 {
			_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
		} else {
			_, err = js.Stream(t.Context(), "S")
		}
		if err != nil {
			t.Errorf("run %d: %v", run, err)
		}
		if second, err := StartNATS(NATSOptions{Data: dir}); err == nil {
			second.Close()
			t.Error("a second server took the same directory")
		} else if !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("a second server: %v", err)
		}
		nc.Close()
		e.Close()
	}
}

func TestEmbeddedFaults(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]NATSOptions{
		"address already in use": {Listen: taken.Addr().String()},
		"must be host:port":      {Listen: "127.0.0.1"},
		"up to 65535":            {Listen: "127.0.0.1:70000"},
		"not a directory":        {Data: filepath.Join(file, "below")},
	} {
		began := time.Now()
		e, err := StartNATS(o)
		if err == nil {
			e.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %s", err, name)
		}
		if waited := time.Since(began); waited > 5*time.Second {
			t.Errorf("%s: told after %s", name, waited)
		}
	}
}
