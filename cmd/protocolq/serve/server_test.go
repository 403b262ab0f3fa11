// A worker that starts on a server that is too old ends. It waits for a server that is not
// there yet.

package serve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/worker/provision"
)

// play starts a server of some version, which does only what a client needs to connect.
func play(t *testing.T, version string, payload int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				fmt.Fprintf(c, "INFO {\"server_name\":\"attic\",\"version\":%q,\"max_payload\":%d,\"headers\":true}\r\n", version, payload)
				for in := bufio.NewScanner(c); in.Scan(); {
					if in.Text() == "PING" {
						fmt.Fprint(c, "PONG\r\n")
					}
				}
			}()
		}
	}()
	return "nats://" + l.Addr().String()
}

func TestCheckServer(t *testing.T) {
	for _, c := range []struct {
		version string
		payload int
		ends    bool
		logs    string
	}{{"2.15.2", 1 << 20, false, ""}, {"2.10.29", 1 << 20, true, ""}, {"2.15.2", 1 << 10, false, "max_payload of 1024 bytes"}} {
		nc, err := nats.Connect(play(t, c.version, c.payload))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		var log clitest.Buffer
		err = checkServer(t.Context(), nc, cli.NewLogger(&log, 0, "text"))
		end, _ := errors.AsType[*cli.Error](err)
		if (err != nil) != c.ends || c.ends && (!errors.Is(err, provision.ErrOldServer) || end == nil || !strings.Contains(end.Hint, "update nats-server")) {
			t.Errorf("%s: %v", c.version, err)
		}
		if c.logs == "" && log.String() != "" || !strings.Contains(log.String(), c.logs) {
			t.Errorf("%s: logged %q", c.version, log.String())
		}
	}
}

func TestCheckServerWaits(t *testing.T) {
	nc, err := nats.Connect("nats://127.0.0.1:1", nats.RetryOnFailedConnect(true))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	if err := checkServer(ctx, nc, cli.NewLogger(t.Output(), 0, "text")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
