// The requests that the pages show, which any NATS client can make, are answered as the pages
// say.

package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/settings"
)

var request = regexp.MustCompile(`(?m)^nats req (\S+) '(\{.*\})'$`)

// varies are the fields that differ from run to run.
var varies = []string{"run", "asked_at_ms", "answered_at_ms", "expires_at_ms", "source"}

// TestPagesRequests makes each request of a page, and compares the reply with the JSON that
// follows the request on the page, if any.
func TestPagesRequests(t *testing.T) {
	nc, err := nats.Connect(practice(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	shown := 0
	for path, page := range pages(t) {
		for _, at := range request.FindAllStringSubmatchIndex(page, -1) {
			subject, query := page[at[2]:at[3]], page[at[4]:at[5]]
			reply, err := nc.Request(subject, []byte(query), time.Minute)
			if err != nil {
				t.Fatalf("%s: %s: %v", path, query, err)
			}
			got := fields(t, reply.Data)
			if got["outcome"] == nil || got["code"] == "BAD_REQUEST" {
				t.Errorf("%s: %s is answered by %s", path, query, reply.Data)
			}
			after, ok := strings.CutPrefix(page[at[1]:], "\n```\n```json\n")
			if !ok {
				continue
			}
			shown++
			want, _, _ := strings.Cut(after, "```")
			if diff := cmp.Diff(fields(t, []byte(want)), got); diff != "" {
				t.Errorf("%s: %s is answered otherwise: -page +reply\n%s", path, query, diff)
			}
		}
	}
	if shown == 0 {
		t.Error("no page shows a reply")
	}
}

// practice runs everything in this process, and returns the URL of its NATS server.
func practice(t *testing.T) string {
	t.Helper()
	cfg := &settings.Config{}
	settings.Practice(cfg)
	stack, err := localstack.Open(t.Context(), localstack.Options{Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack.URLs()["nats"]
}

// The output that the README and its translation show is what the command prints.
func TestReadmeOutput(t *testing.T) {
	reached := false
	var out strings.Builder
	root := newRoot(&reached)
	root.SetArgs([]string{"query", "--nats", practice(t), "--email", "signed@example.com", "--id", "booking-1"})
	root.SetOut(&out)
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"README.md", chinese} {
		shown := blocks(readPage(t, path), "")
		i := slices.IndexFunc(shown, func(b string) bool { return strings.HasPrefix(b, "outcome ") })
		if i < 0 {
			t.Fatalf("%s shows no output", path)
		}
		if diff := cmp.Diff(differing.ReplaceAllString(shown[i], "$1 …"), differing.ReplaceAllString(out.String(), "$1 …")); diff != "" {
			t.Errorf("%s shows another output: -page +program\n%s", path, diff)
		}
	}
}

// differing are the lines that differ from run to run.
var differing = regexp.MustCompile(`(?m)^(run|age) .*$`)

// fields returns the fields of a Result that are the same in each run.
func fields(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	for _, name := range varies {
		if all[name] == nil && all["outcome"] == "signed" {
			t.Errorf("%s has no %s", data, name)
		}
		delete(all, name)
	}
	return all
}
