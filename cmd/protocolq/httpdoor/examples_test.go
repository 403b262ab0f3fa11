// The examples in messages/examples/http, run by curl and PHP against real workers.

package httpdoor

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/webhook"
)

// example runs one until it ends, and returns what it prints and its exit code.
func (b *bench) example(t *testing.T, args ...string) (string, int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), args[0], args[1:]...)
	c.Dir = filepath.Join("..", "..", "..", "messages", "examples", "http")
	c.Env = append(os.Environ(), "DOOR="+b.url, "TOKEN="+tokens["shop"])
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), c.ProcessState.ExitCode()
}

// has reports whether a program is installed. In CI it must be.
func has(t *testing.T, program string) bool {
	t.Helper()
	_, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("no %s: install it", program)
	}
	if err != nil {
		t.Logf("no %s: its example is not run", program)
	}
	return err == nil
}

func TestExampleCurl(t *testing.T) {
	if !has(t, "curl") {
		return
	}
	b := openBench(t)
	for email, want := range map[string]struct {
		says string
		code int
	}{
		"debit-only@example.com":    {`"charge_agent":true,"refund_charge":false`, 0},
		"not-signed@example.com":    {`"outcome":"not_signed"`, 0},
		"illegal-email@example.com": {`"type":"` + typeHead + `refused"`, 1},
	} {
		if out, code := b.example(t, "./ask.sh", email, "case of "+email[:5]); !strings.Contains(out, want.says) || code != want.code {
			t.Errorf("%s: %d %s", email, code, out)
		}
	}
}

func TestExamplePHP(t *testing.T) {
	if !has(t, "php") {
		return
	}
	b := openBench(t)
	for email, want := range map[string]struct {
		says string
		code int
	}{
		"debit-only@example.com":    {"signed debit: true refund: false", 0},
		"not-signed@example.com":    {"not_signed debit: false refund: false", 0},
		"illegal-email@example.com": {"refused debit: not said refund: not said", 1},
	} {
		if out, code := b.example(t, "php", "ask.php", email, "php case of "+email[:5]); out != want.says || code != want.code {
			t.Errorf("%s: %d %s", email, code, out)
		}
	}
}

// The example, run by PHP's own server, accepts an answer signed with its secret, and none
// signed with another.
func TestExamplePHPWebhook(t *testing.T) {
	if !has(t, "php") {
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")
	for _, file := range []string{good, bad} {
		if err := os.WriteFile(file, []byte(webhook.NewSecret()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	c := exec.CommandContext(ctx, "php", "-S", address, filepath.Join("..", "..", "..", "messages", "examples", "http", "webhook.php"))
	c.Env = append(os.Environ(), "SECRET_FILE="+good)
	said, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); _ = c.Wait() }()
	lines := bufio.NewScanner(said)
	until := func(text string) string {
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return lines.Text()
			}
		}
		t.Fatalf("it never says %s", text)
		return ""
	}
	until("started")
	for _, file := range []string{bad, good} {
		d, _ := hooked(&remembered{}, nil)
		d.client, d.url, d.secrets = webhook.NewClient(1), "http://"+address+"/", func() ([]byte, error) { return os.ReadFile(file) }
		_, err := d.deliver(t.Context(), "msg_1", time.Now(), []byte(keptAnswer))
		if (err == nil) != (file == good) {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
		d.client.CloseIdleConnections()
	}
	if line := until("r-1"); line != "r-1 signed" {
		t.Error(line)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
}
