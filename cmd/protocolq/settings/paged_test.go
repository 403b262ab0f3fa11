package settings_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/settings"
)

// Where there is a page in the browser, a log line about a run links to the run's page. Other
// lines do not.
func TestLogNamesThePage(t *testing.T) {
	for url, want := range map[string]string{"": "", "https://protocolq.example.com/": `"page":"https://protocolq.example.com/queries/run%2F1"`} {
		var b bytes.Buffer
		c := settings.Config{LogLevel: "info", LogFormat: "json"}
		c.Console.URL = url
		log := c.Logger(&b).With("worker", "w1")
		log.Info("worker ready", "page", "none")
		log.Info("run ended", "run", "run/1", "outcome", "signed")
		log.Log(t.Context(), slog.LevelDebug, "run ended", "run", "run/2")
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) != 2 || strings.Contains(lines[0], "queries") || !strings.Contains(lines[1], want) || strings.Contains(lines[1], `"page"`) != (url != "") {
			t.Errorf("%q:\n%s", url, b.String())
		}
	}
}
