// deploy/prometheus/metrics.md lists every metric: go test ./worker/ops -update writes it.

package ops_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"protocolq/messages"
	"protocolq/worker"
	"protocolq/worker/ops"
	"protocolq/worker/querylog"
)

var described = regexp.MustCompile(`fqName: "(\w+)", help: "(.*?)", (?:unit: "[^"]*", )?constLabels: .*variableLabels: \{([\w,]*)\}`)

func TestMetricsPage(t *testing.T) {
	n, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Metrics\n\nWhat `/metrics` shows, beside the figures of Go (`go_…`) and of the process (`process_…`). Written from the program:\n`go test ./worker/ops -update`. Names end with `_total` where they only grow, and with their unit.\n" +
		"\nHow long calls and batches take are native histograms, and classic ones for whoever reads text; calls of traces that are\nfollowed are their exemplars (`trace_id`), in OpenMetrics and in protobuf.\n\n| metric | label | of | meaning |\n| --- | --- | --- | --- |\n" +
		"| `protocolq_build_info` | `version`, `commit`, `go` | all | Always 1; which program this is. |\n")
	for _, c := range []struct {
		of string
		c  prometheus.Collector
	}{
		{"all", ops.NewReady(func() ops.Health { return ops.Health{} })},
		{"worker", ops.NewWorker(nil, func() worker.Stats { return worker.Stats{} })},
		{"recorder", ops.NewRecorder(func() querylog.Stats { return querylog.Stats{} })},
		{"HTTP door", ops.NewDoor()},
		{"console", ops.NewConsole()},
		{"worker, recorder", ops.NewStreams(ops.StreamsOptions{Names: n})},
	} {
		descs := make(chan *prometheus.Desc, 200)
		c.c.Describe(descs)
		close(descs)
		var lines []string
		for d := range descs {
			m := described.FindStringSubmatch(d.String())
			if m == nil {
				t.Fatalf("not read: %s", d)
			}
			label := ""
			if m[3] != "" {
				label = "`" + strings.ReplaceAll(m[3], ",", "`, `") + "`"
			}
			lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s |\n", m[1], label, c.of, m[2]))
		}
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, ""))
	}
	path := filepath.Join(deploy, "prometheus", "metrics.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != b.String() {
		t.Errorf("%s is not as the program shows metrics (%v): go test ./worker/ops -update", path, err)
	}
}
