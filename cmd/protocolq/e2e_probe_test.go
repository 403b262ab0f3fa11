//go:build unix

// What a process of the fleet shows of itself over HTTP, from before it is ready until it has
// drained.

package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
)

// freeAddress returns an address on which nothing listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// page reads one page. Status 0 means that nothing listens.
func page(t *testing.T, address, path string) (int, string) {
	t.Helper()
	answer, err := http.Get("http://" + address + path)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestProbesOfAWorker(t *testing.T) {
	t.Parallel()
	s := &stand{t: t, nats: "nats://" + freeAddress(t), keys: t.TempDir()}
	s.practice()
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	w := s.begin("--http-listen", ":"+port)
	clitest.Eventually(t, "it listens", func() bool { code, _ := page(t, address, "/livez"); return code == http.StatusOK })
	if p := launch(t, []string{"PROTOCOLQ_HTTP_LISTEN=:" + port}, "doctor", "--quick"); p.exit() != cli.ExitOther || !strings.Contains(p.err.String(), "nats down") {
		t.Errorf("doctor --quick without NATS: %s", p.err)
	}
	for _, path := range []string{"/readyz", "/startupz"} {
		if code, body := page(t, address, path); code != http.StatusServiceUnavailable || !strings.Contains(body, "nats down") {
			t.Errorf("without NATS %s is %d %s", path, code, body)
		}
	}
	server, err := localstack.StartNATS(localstack.NATSOptions{Listen: strings.TrimPrefix(s.nats, "nats://"), Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	if code := launch(t, nil, "provision", "--nats", s.nats).exit(); code != cli.ExitOK {
		t.Fatalf("provision: exit code %d", code)
	}
	w.ready()
	if n := strings.Count(w.err.String(), `"worker starting"`); n != 1 {
		t.Errorf("%d lines say with what it starts", n)
	}
	listen := []string{"PROTOCOLQ_HTTP_LISTEN=:" + port}
	if p := launch(t, listen, "doctor", "--quick"); p.exit() != cli.ExitOK || p.out.String() != "" {
		t.Errorf("doctor --quick of a worker that is ready: %s%s", p.out, p.err)
	}
	if code, body := page(t, address, "/readyz"); code != http.StatusOK || body != "ready\n" {
		t.Errorf("ready: %d %q", code, body)
	}
	if _, err := s.connect().Request("protocol.query", []byte(`{"user_email":"`+person("signed", "probe")+`"}`), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	var text string
	clitest.Eventually(t, "its figures", func() bool { // those of the streams may have been read while the streams were being made
		_, text = page(t, address, "/metrics")
		lacks := slices.ContainsFunc([]string{"protocolq_build_info{", `protocolq_requests_total{outcome="signed"} 1`,
			`protocolq_dedupe_total{result="asked"} 1`, "protocolq_gateway_request_duration_seconds_count 1", "protocolq_members 1",
			`protocolq_stream_fill_ratio{stream="JOURNAL"}`, `protocolq_stream_messages{stream="DEAD"} 0`, "protocolq_queue_lag_messages 0",
		}, func(want string) bool { return !strings.Contains(text, want) })
		return !lacks
	})
	if strings.Contains(text, "@") || strings.Contains(text, "_INBOX") {
		t.Error("a figure is about a person or an inbox")
	}
	if w.stop(); strings.Contains(w.err.String(), `"ERROR"`) {
		t.Error("an ERROR in the log of a worker that is well")
	}
}

// A recorder answers its probes even if it cannot reach its database: its lines wait.
func TestProbesOfARecorder(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{})
	address, dir := freeAddress(t), t.TempDir()
	r := launch(t, []string{"PROTOCOLQ_HTTP_LISTEN=" + address}, "recorder", "--nats", s.nats, "--database", "sqlite://"+filepath.Join(dir, "log.db"))
	clitest.Eventually(t, "it is ready", func() bool { code, _ := page(t, address, "/readyz"); return code == http.StatusOK })
	clitest.Eventually(t, "its figures", func() bool {
		_, text := page(t, address, "/metrics")
		return strings.Contains(text, "protocolq_querylog_lag_messages 0") && strings.Contains(text, "protocolq_querylog_database_up 1")
	})
	r.stop()

	address = freeAddress(t)
	r = launch(t, nil, "recorder", "--http-listen", address, "--nats", s.nats, "--database", "postgres://nobody@127.0.0.1:1/none")
	clitest.Eventually(t, "it listens", func() bool { code, _ := page(t, address, "/livez"); return code == http.StatusOK })
	if code, body := page(t, address, "/readyz?verbose"); code != http.StatusServiceUnavailable || !strings.Contains(body, `"starting"`) {
		t.Errorf("with a database that was never there: %d %s", code, body)
	}
	r.stop()
}

// The console and the HTTP door are ready when they reach NATS, and count their requests.
func TestProbesOfWhatAsks(t *testing.T) {
	t.Parallel()
	askers := filepath.Join(t.TempDir(), "askers.yaml")
	made := launch(t, nil, "http", "token", "-o", "json")
	made.exit()
	var token struct{ Hash string }
	if err := json.Unmarshal([]byte(made.out.String()), &token); err != nil {
		t.Fatal(err)
	}
	text := "askers: [{name: shop, partners: [\"2088000000000001\"], tokens: [\"" + token.Hash + "\"]}]\n"
	if err := os.WriteFile(askers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args         []string
		listen, path string
		figure       string
	}{
		"console": {[]string{"console"}, "--console-listen", "/", `protocolq_console_requests_total{status="200"} 1`},
		"http": {[]string{"http", "--api-askers-file", askers}, "--api-listen", "/v1/openapi.yaml",
			`protocolq_http_requests_total{route="/v1/openapi.yaml",status="200"} 1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nats, probe, door := freeAddress(t), freeAddress(t), freeAddress(t)
			p := launch(t, nil, append(c.args, "--nats", "nats://"+nats, "--http-listen", probe, c.listen, door)...)
			clitest.Eventually(t, "it listens", func() bool { code, _ := page(t, probe, "/livez"); return code == http.StatusOK })
			if code, body := page(t, probe, "/readyz"); code != http.StatusServiceUnavailable || body != "unready; nats down: not connected\n" {
				t.Errorf("without NATS: %d %q", code, body)
			}
			server, err := localstack.StartNATS(localstack.NATSOptions{Listen: nats, Data: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(server.Close)
			clitest.Eventually(t, "it is ready", func() bool { code, _ := page(t, probe, "/readyz"); return code == http.StatusOK })
			if code, _ := page(t, door, c.path); code != http.StatusOK {
				t.Errorf("%s is %d", c.path, code)
			}
			if _, figures := page(t, probe, "/metrics"); !strings.Contains(figures, c.figure) || !strings.Contains(figures, "protocolq_ready 1") {
				t.Errorf("no %s in %s", c.figure, figures)
			}
			if p.stop(); p.exit() != cli.ExitOK {
				t.Errorf("it ended with %s", p.err)
			}
		})
	}
}

// Two processes cannot listen on one socket. The second reports which setting it is, and does
// not start.
func TestSocketTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := &stand{t: t, nats: "nats://" + freeAddress(t), keys: t.TempDir()}
	s.practice()
	w := s.begin("--http-listen", taken.Addr().String())
	if code := w.exit(); code != cli.ExitOther || !strings.Contains(w.err.String(), "--http-listen") {
		t.Errorf("exit code %d: %s", code, w.err)
	}
}
