// A server that is older than a fleet needs.

package provision_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
	"protocolq/worker/provision"
)

// A server of an older version, by what it says of itself.
func TestOldServer(t *testing.T) {
	srv := serve(t, &server.Options{Host: "127.0.0.1", Port: -1, ServerName: "attic"})
	old, err := nats.Connect("nats://" + saying(t, srv, "2.10.29"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(old.Close)
	js, err := jetstream.New(old)
	if err != nil {
		t.Fatal(err)
	}
	r, err := provision.Apply(t.Context(), js, options(t, "protocol"))
	if !errors.Is(err, provision.ErrOldServer) || !strings.Contains(err.Error(), "attic is version 2.10.29, and 2.11 is the least") || len(r.Items) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if n := len(captured(t, js)); n > 0 {
		t.Errorf("%d streams were made", n)
	}
}

// A server from before message schedules gets everything that does not need them, and that is no
// fault.
func TestServerWithoutSchedules(t *testing.T) {
	srv := serve(t, &server.Options{Host: "127.0.0.1", Port: -1})
	nc, err := nats.Connect("nats://" + saying(t, srv, "2.11.17"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, "protocol")
	r := apply(t, js, o)
	done := actions(r)
	if r.Differs() || done["PROTOCOL_WATCHES"] != provision.Newer || done["PROTOCOL_DEAD"] != provision.Created || len(done) != len(messages.Kinds())+3 {
		t.Errorf("%v", done)
	}
	if all := captured(t, js); all["PROTOCOL_WATCHES"] != "" || len(all) != len(messages.Kinds()) {
		t.Errorf("streams %v", all)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := provision.Await(ctx, js, o); err != nil {
		t.Error(err)
	}
	if done := actions(apply(t, connect(t, srv), o)); done["PROTOCOL_WATCHES"] != provision.Created || done["PROTOCOL_REPLIES > console"] != provision.Created || len(done) != 3 {
		t.Errorf("after the server's upgrade: %v", done)
	}
}

// saying is the address of a server that claims another version.
func saying(t *testing.T, srv *server.Server, version string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", srv.Addr().String())
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(up, client); _ = up.Close() }()
			go func() {
				said, says := []byte(`"version":"`+server.VERSION+`"`), []byte(`"version":"`+version+`"`)
				data := make([]byte, 64<<10)
				for n, err := 0, error(nil); err == nil; _, _ = client.Write(bytes.ReplaceAll(data[:n], said, says)) {
					n, err = up.Read(data) // it says so more than once
				}
				_ = client.Close()
			}()
		}
	}()
	return l.Addr().String()
}
