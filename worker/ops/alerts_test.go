// The alerts: rules and pages are as the table says, and each metric that one names is shown by a
// process. `go test ./worker/ops -update` writes them.

package ops_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/ops"
	"protocolq/worker/querylog"
)

var update = flag.Bool("update", false, "write alerts.yaml and its pages")

const deploy = "../../deploy"

func rules() string {
	var b strings.Builder
	b.WriteString("# Rules for Prometheus; each has a page in ../docs/alerts. Made from worker/ops/alerts.go: go test ./worker/ops -update\ngroups:\n  - name: protocolq\n    rules:\n")
	for _, a := range ops.Alerts {
		fmt.Fprintf(&b, "      - alert: %s\n        expr: %s\n        for: %s\n        labels: {severity: %s}\n        annotations:\n          summary: %q\n          runbook: deploy/docs/alerts/%s.md\n",
			a.Name, a.Rule.PromQL(), minutes(a.For), a.Severity, a.Summary, a.Name)
	}
	return b.String()
}

func runbook(a ops.Alert) string {
	return fmt.Sprintf("# %s\n%s: `%s`, for %s.\n\n**What it means.** %s\n\n**Look at.** %s\n\n**Do.** %s\n", a.Name, a.Severity, a.Rule.PromQL(), minutes(a.For), a.Means, a.Look, a.Do)
}

func minutes(d time.Duration) string { return fmt.Sprintf("%dm", int(d.Minutes())) }

func TestAlertsAreWritten(t *testing.T) {
	want := map[string]string{filepath.Join(deploy, "prometheus", "alerts.yaml"): rules()}
	for _, a := range ops.Alerts {
		want[filepath.Join(deploy, "docs", "alerts", a.Name+".md")] = runbook(a)
	}
	for path, text := range want {
		if *update {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil || string(have) != text {
			t.Errorf("%s is not as the table says (%v): go test ./worker/ops -update", path, err)
		}
	}
	pages, err := filepath.Glob(filepath.Join(deploy, "docs", "alerts", "*.md"))
	if err != nil || len(pages) != len(ops.Alerts) {
		t.Errorf("%d pages for %d alerts, %v", len(pages), len(ops.Alerts), err)
	}
	var parsed struct {
		Groups []struct {
			Rules []struct{ Alert, Expr, For string }
		}
	}
	if err := yaml.Unmarshal([]byte(rules()), &parsed); err != nil || len(parsed.Groups) != 1 || len(parsed.Groups[0].Rules) != len(ops.Alerts) {
		t.Fatalf("%+v, %v", parsed, err)
	}
	for i, r := range parsed.Groups[0].Rules {
		if a := ops.Alerts[i]; r.Alert != a.Name || r.Expr != a.Rule.PromQL() || r.For != minutes(a.For) {
			t.Errorf("%+v became %+v", a, r)
		}
	}
}

func TestAlertsAreWhole(t *testing.T) {
	shown, names := metrics(t), map[string]bool{}
	for _, a := range ops.Alerts {
		if names[a.Name] || !strings.HasPrefix(a.Name, "Protocolq") || a.Severity != "critical" && a.Severity != "warning" {
			t.Errorf("%s: %s", a.Name, a.Severity)
		}
		names[a.Name] = true
		for _, text := range []string{a.Summary, a.Means, a.Look, a.Do} {
			if text == "" {
				t.Errorf("%s: something is not said", a.Name)
			}
		}
		known(t, a.Name, a.Rule.PromQL(), shown)
	}
	for _, a := range ops.Alerts {
		for _, other := range regexp.MustCompile(`Protocolq\w+`).FindAllString(a.Means+a.Look+a.Do, -1) {
			if !names[other] {
				t.Errorf("%s names %s, which is no alert", a.Name, other)
			}
		}
	}
}

var metricName = regexp.MustCompile(`protocolq_\w+`)

func known(t *testing.T, where, expr string, shown []string) {
	t.Helper()
	found := metricName.FindAllString(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s: no metric of ours in %s", where, expr)
	}
	for _, name := range found {
		for _, ending := range []string{"_bucket", "_count", "_sum"} {
			name = strings.TrimSuffix(name, ending)
		}
		if !slices.Contains(shown, name) {
			t.Errorf("%s: no process shows %s", where, name)
		}
	}
}

// metrics are the names of all that the program's processes show.
func metrics(t *testing.T) []string {
	t.Helper()
	n, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	return append(namesOf(
		ops.NewWorker(nil, func() worker.Stats { return worker.Stats{} }), ops.NewRecorder(func() querylog.Stats { return querylog.Stats{} }),
		ops.NewStreams(ops.StreamsOptions{Names: n}), ops.NewReady(func() ops.Health { return ops.Health{} }), ops.NewDoor(), ops.NewConsole(),
	), "protocolq_build_info")
}

func namesOf(collectors ...prometheus.Collector) (names []string) {
	descs := make(chan *prometheus.Desc, 200)
	for _, c := range collectors {
		c.Describe(descs)
	}
	close(descs)
	for d := range descs {
		names = append(names, regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1])
	}
	return names
}

// The dashboard: JSON that Grafana imports, no panel on another, each query by metrics that are
// shown; all that the HTTP door and the page count is on it.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "grafana", "protocolq.json"))
	if err != nil {
		t.Fatal(err)
	}
	type place struct{ X, Y, W, H int }
	var d struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Title, Type string
			GridPos     place
			Targets     []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil || d.Title == "" || d.UID == "" || d.SchemaVersion < 39 || len(d.Panels) < 12 {
		t.Fatalf("%v: %q %q, version %d, %d panels", err, d.Title, d.UID, d.SchemaVersion, len(d.Panels))
	}
	shown, ids, taken, asked := metrics(t), map[int]bool{}, map[[2]int]string{}, ""
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q at %+v", p.ID, p.Title, p.GridPos)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			known(t, p.Title, target.Expr, shown)
			asked += target.Expr + "\n"
		}
	}
	for _, name := range namesOf(ops.NewDoor(), ops.NewConsole()) {
		if !regexp.MustCompile(name + `(_bucket)?\b`).MatchString(asked) {
			t.Errorf("no panel shows %s", name)
		}
	}
}
