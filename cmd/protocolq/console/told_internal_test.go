// The webhook's file, from its setting to a receiver.

package console

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/webhook"
)

func TestToldIsReadAnew(t *testing.T) {
	if told(&settings.Config{}) != nil || checkTold(&settings.Config{}) != nil {
		t.Error("a webhook without a file")
	}
	came := make(chan string, 2)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { came <- r.URL.Path }))
	t.Cleanup(hook.Close)
	path := filepath.Join(t.TempDir(), "webhook")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := &settings.Config{}
	cfg.Console.WebhookFile = path
	write("# of the desk\n" + hook.URL + "/first\n" + webhook.NewSecret() + "\n")
	if err := checkTold(cfg); err != nil {
		t.Fatal(err)
	}
	now := told(cfg)
	for _, want := range []string{"/first", "/second"} {
		to, err := now()
		if err == nil {
			_, err = to.Send(t.Context(), hook.Client(), webhook.Message{ID: "msg_1", Type: "t", Data: []byte("{}")})
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := <-came; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		write(hook.URL + "/second\n" + webhook.NewSecret() + "\n")
	}
	write(hook.URL + "/canary\nno secret\n")
	if err := checkTold(cfg); err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "console-webhook-file") {
		t.Errorf("a broken file: %v", err)
	}
}
