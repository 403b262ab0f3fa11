// Rules by themselves: they find what Prometheus finds, of the figures that promtool's test has.

package ops_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"protocolq/worker"
	"protocolq/worker/ops"
)

type ruleTest struct {
	Name        string
	InputSeries []struct{ Series, Values string } `yaml:"input_series"`
	Tests       []struct {
		At    string `yaml:"eval_time"`
		Alert string `yaml:"alertname"`
		Want  []struct {
			Labels      map[string]string `yaml:"exp_labels"`
			Annotations map[string]string `yaml:"exp_annotations"`
		} `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
}

func TestRulesAsPrometheusHasThem(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "prometheus", "alerts_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Tests []ruleTest }
	if err := yaml.Unmarshal(text, &file); err != nil || len(file.Tests) < 2 {
		t.Fatalf("%d tests, %v", len(file.Tests), err)
	}
	checked := 0
	for _, c := range file.Tests {
		for _, want := range c.Tests {
			at, err := time.ParseDuration(want.At)
			if err != nil {
				t.Fatal(err)
			}
			problems, h := ops.Problems{}, ops.History(nil)
			for minute := range int(at.Minutes()) + 1 {
				h = h.With(sampleAt(t, c, minute))
				problems.Look(h)
			}
			var got, expected []string
			for _, p := range problems.Firing() {
				if p.Alert.Name == want.Alert {
					got = append(got, p.Summary())
				}
			}
			for _, w := range want.Want {
				expected = append(expected, w.Annotations["summary"])
			}
			slices.Sort(expected)
			if checked++; !slices.Equal(got, expected) {
				t.Errorf("%s: %s at %s: %q, want %q", c.Name, want.Alert, want.At, got, expected)
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d of promtool's tests were read", checked)
	}
}

var seriesText = regexp.MustCompile(`^(\w+)\{instance="([^"]*)"(?:,(\w+)="([^"]*)")?\}$`)

// sampleAt reads promtool's notation: 0+600x30 counts up, 2x10 stays, _x20 is not there.
func sampleAt(t *testing.T, c ruleTest, minute int) ops.Sample {
	s := ops.Sample{At: time.Unix(0, 0).Add(time.Duration(minute) * time.Minute), Series: ops.Series{}}
	for _, in := range c.InputSeries {
		parts := seriesText.FindStringSubmatch(in.Series)
		if parts == nil {
			t.Fatalf("series %s", in.Series)
		}
		left := minute
		for _, run := range strings.Fields(in.Values) {
			value, times, _ := strings.Cut(run, "x")
			n, err := strconv.Atoi(times)
			if err != nil {
				t.Fatalf("%s: %v", in.Values, err)
			}
			if n++; value == "_" {
				n-- // promtool has no first one of these
			}
			if left >= n {
				left -= n
				continue
			}
			if value != "_" {
				base, step, _ := strings.Cut(value, "+")
				from, _ := strconv.ParseFloat(base, 64)
				by, _ := strconv.ParseFloat(step, 64)
				s.Series[ops.Figure{Metric: parts[1], Instance: parts[2], Label: parts[3], Value: parts[4]}] = from + by*float64(left)
			}
			break
		}
	}
	return s
}

// What happens to counters: a process that starts again, one that is missing for a while, one more.
func TestIncrease(t *testing.T) {
	rule := ops.Rule{Term: ops.Term{Agg: "sum", Metric: "m", Fn: "increase", Over: 10 * time.Minute}, Op: ">", Limit: -1}
	at := func(figures ...string) (s ops.Series) {
		s = ops.Series{}
		for _, f := range figures {
			instance, text, _ := strings.Cut(f, "=")
			v, _ := strconv.ParseFloat(text, 64)
			s[ops.Figure{Metric: "m", Instance: instance}] = v
		}
		return s
	}
	for _, c := range []struct {
		name    string
		samples []ops.Series
		want    float64
	}{
		{"grows", []ops.Series{at("a=5"), at("a=7"), at("a=9")}, 4},
		{"begins anew", []ops.Series{at("a=5"), at("a=2"), at("a=3")}, 3},
		{"is not heard for a while", []ops.Series{at("a=5", "b=1"), at("b=1"), at("a=6", "b=1")}, 1},
		{"one more", []ops.Series{at("a=5"), at("a=5", "b=3")}, 3},
		{"only what is in the time", []ops.Series{at("a=1"), at("a=100"), at("a=100"), at("a=100"), at("a=100"), at("a=101")}, 1},
		{"is not heard as the time begins", []ops.Series{at("a=100", "b=1"), at("a=100", "b=1"), at("b=1"), at("a=100", "b=1"), at("a=101", "b=1")}, 1},
		{"the first look", []ops.Series{at("a=100")}, 0},
	} {
		var h ops.History
		for i, s := range c.samples {
			h = h.With(ops.Sample{At: time.Unix(int64(i)*240, 0), Series: s})
		}
		if got := rule.Firing(h)[""]; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Each rule can fire out of what workers, recorders and streams show; the journal is the last hour.
func TestHistoryIsBounded(t *testing.T) {
	var h ops.History
	for i := range 1000 {
		h = h.With(ops.Sample{At: time.Unix(int64(i)*15, 0)})
	}
	if len(h) > 250 {
		t.Errorf("%d samples", len(h))
	}
	for _, a := range ops.Alerts {
		for _, term := range []*ops.Term{&a.Rule.Term, a.Rule.Per, a.Rule.Plus} {
			if term != nil && term.Over > ops.Longest {
				t.Errorf("%s looks back for %s", a.Name, term.Over)
			}
		}
	}
}

func TestSeriesOfWorker(t *testing.T) {
	s, err := ops.SeriesOfWorker(worker.Stats{Member: "m", Members: 2, Halted: []string{"2088000000000001"}, Codes: map[string]uint64{"SYSTEM_ERROR": 3},
		Gateway: worker.Histogram{Count: 10, UpTo: []int64{100, 5000, 10000}, Buckets: []uint64{4, 0, 6, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[ops.Figure]float64{
		{Metric: "protocolq_members", Instance: "m"}:                                                           2,
		{Metric: "protocolq_partner_halted", Instance: "m", Label: "partner", Value: "2088000000000001"}:       1,
		{Metric: "protocolq_gateway_requests_total", Instance: "m", Label: "code_class", Value: "temp"}:        3,
		{Metric: "protocolq_gateway_request_duration_seconds_bucket", Instance: "m", Label: "le", Value: "10"}: 10,
	} {
		if s[f] != want {
			t.Errorf("%+v is %v, want %v", f, s[f], want)
		}
	}
	h := ops.History{{At: time.Unix(0, 0), Series: ops.Series{}}, {At: time.Unix(60, 0), Series: s}}
	for _, a := range ops.Alerts {
		if got := a.Rule.Firing(h); a.Name == "ProtocolqGatewaySlow" && fmt.Sprintf("%.2f", got[""]) != "9.58" {
			t.Errorf("%s: %v", a.Name, got)
		}
	}
}

// A problem that comes and goes is one; one that is over is over.
func TestProblems(t *testing.T) {
	problems, h := ops.Problems{}, ops.History(nil)
	const id = "ProtocolqPartnerHalted 2088"
	at := 0
	look := func(minutes int, halted float64) {
		for range minutes {
			h = h.With(ops.Sample{At: time.Unix(int64(at)*60, 0), Series: ops.Series{
				{Metric: "protocolq_members", Instance: "a"}: 1, {Metric: "protocolq_partner_halted", Instance: "a", Label: "partner", Value: "2088"}: halted}})
			problems.Look(h)
			at++
		}
	}
	want := func(firing int, over bool) {
		t.Helper()
		if got := problems.Firing(); len(got) != firing || problems.Over(id, h) != over {
			t.Errorf("minute %d: %v, over %v", at, got, problems.Over(id, h))
		}
	}
	look(5, 0)
	want(0, true)
	look(1, 1)
	want(0, false)
	look(1, 1)
	want(1, false)
	look(1, 0)
	want(1, false)
	look(1, 1)
	want(1, false)
	if since := problems[id].Since; since != time.Unix(300, 0) {
		t.Errorf("since %v", since)
	}
	look(3, 0)
	want(0, true)
	look(1, 1)
	look(1, 0)
	want(0, true)
}
