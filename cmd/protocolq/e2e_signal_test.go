// A program that gets a second signal ends at once, with exit code 130.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/natstest"
)

// TestSecondSignal runs the program as a process of its own. A request that never ends keeps
// the practice gateway's drain busy between the two signals.
func TestSecondSignal(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "protocolq", "simulator", "--listen", "127.0.0.1:0", "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var urls struct{ Gateway string }
	if err := json.Unmarshal(line, &urls); err != nil {
		t.Fatal(err)
	}
	gateway, err := url.Parse(urls.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", gateway.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A request whose body never comes. Once the gateway has asked for the body, its drain has
	// to wait for the request.
	if _, err := conn.Write([]byte("POST /gateway.do HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	for began := time.Now(); ; { // until the first signal has closed the address
		probe, err := net.Dial("tcp", gateway.Host)
		if err != nil {
			break
		}
		probe.Close()
		if time.Since(began) > 10*time.Second {
			t.Fatal("the first signal did nothing")
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	err = cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != cli.ExitSignalled {
		t.Errorf("ended with %v, want exit code %d", err, cli.ExitSignalled)
	}
}

// A command that is interrupted by ^C while it waits for an answer prints one sentence and
// exits with 130.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT})
	nc := natstest.Connect(t, ns)
	asked := make(chan bool, 100)
	if _, err := nc.Subscribe("protocol.>", func(*nats.Msg) { asked <- true }); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() { // accepts connections and never answers
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			asked <- true
		}
	}()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(settings.PracticeSet[0].Key), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"query":  {"query", "--email", "a@example.com", "--nats", ns.ClientURL()},
		"submit": {"submit", "--email", "a@example.com", "--nats", ns.ClientURL()},
		"bench":  {"bench", "--nats", ns.ClientURL()},
		"call": {"call", "--email", "a@example.com", "--partner", settings.PracticeSet[0].ID, "--key-file", key,
			"--gateway-url", "http://" + silent.Addr().String() + "/gateway.do", "--unsafe-gateway", "--timeout", "1m"},
		"demo": {"demo"},
	} {
		p := launch(t, nil, args...)
		if name == "demo" {
			clitest.Eventually(t, "all is up", func() bool { return strings.Contains(p.out.String(), "are up in this process") })
		} else {
			select {
			case <-asked:
			case <-time.After(time.Minute):
				t.Fatalf("%s asks nothing", name)
			}
		}
		p.signal(os.Interrupt)
		if code := p.exit(); code != cli.ExitSignalled || p.err.String() != "protocolq: stopped by a signal\n" {
			t.Errorf("%s: exit code %d, %q", name, code, p.err)
		}
	}
}
