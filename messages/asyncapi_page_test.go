// The contract as a page, deploy/docs/contract.md: made from asyncapi.yaml.

package messages_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestContractPage compares the page with the contract. With -update it writes the page.
func TestContractPage(t *testing.T) {
	path := filepath.Join("..", "deploy", "docs", "contract.md")
	page := contractPage(contract(t))
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(page, readFile(t, path)); diff != "" {
		t.Errorf("deploy/docs/contract.md says otherwise than the contract (-update writes it): -contract +page\n%s", diff)
	}
}

// kinds are the messages in the order of the page; acknowledgement is JetStream's own.
var kinds = []string{"query", "acknowledgement", "result", "durableReply", "event", "deadLetter"}

func contractPage(c object) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The contract, field by field

<!-- written by: go test ./messages -run TestContractPage -update -->
This page is made from [asyncapi.yaml](../../messages/asyncapi.yaml), the contract for machines (AsyncAPI %s);
[messages/README.md](../../messages/README.md) says the same in an order to be read, with what to do on each code.

%s
## Subjects

| subject | you | message | stream, kept | |
|---|---|---|---|---|
`, c["asyncapi"], at(c, "info")["description"])
	for _, line := range subjectLines(c) {
		b.WriteString(line)
	}
	for _, kind := range kinds {
		m := at(c, "components", "messages", kind)
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", m["title"], inLine(m["summary"]))
		writeFields(&b, "header", at(m, "headers"))
		if kind == "durableReply" {
			b.WriteString("\nFields as in a [Result](#result).\n")
			continue
		}
		writeFields(&b, "field", at(m, "payload"))
		writeExamples(&b, m)
	}
	return b.String()
}

// subjectLines are the channels that have a subject, those that a user writes to first.
func subjectLines(c object) []string {
	act := map[string]string{}
	for _, o := range at(c, "operations") {
		for name, ch := range at(c, "channels") {
			if gocmp.Equal(ch, o.(object)["channel"]) {
				act[name] = map[any]string{"receive": "write", "send": "read"}[o.(object)["action"]]
			}
		}
	}
	var lines []string
	for _, name := range slices.SortedFunc(maps.Keys(at(c, "channels")), func(x, y string) int {
		return cmp.Or(-cmp.Compare(act[x], act[y]), cmp.Compare(address(c, x), address(c, y)))
	}) {
		ch := at(c, "channels", name)
		if address(c, name) == "" {
			continue
		}
		var titles []string
		for _, m := range at(ch, "messages") {
			titles = append(titles, m.(object)["title"].(string))
		}
		lines = append(lines, fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", address(c, name), act[name], strings.Join(titles, ", "), kept(ch), inLine(ch["description"])))
	}
	return lines
}

func address(c object, channel string) string {
	a, _ := at(c, "channels", channel)["address"].(string)
	return a
}

// kept names the stream of a channel's messages, and how long they are kept.
func kept(ch object) string {
	stream, _ := ch["x-stream"].(string)
	if stream == "" {
		return ""
	}
	if text, ok := ch["x-kept-for"].(string); ok {
		d, _ := time.ParseDuration(text)
		return fmt.Sprintf("`%s`, %d days at most", stream, d/(24*time.Hour))
	}
	return "`" + stream + "`, until it is taken in"
}

func inLine(text any) string {
	s, _ := text.(string)
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}

func writeExamples(b *strings.Builder, m object) {
	for _, e := range m["examples"].([]any) {
		e := e.(object)
		text, _ := json.Marshal(e["payload"])
		fmt.Fprintf(b, "\n%s:\n```json\n%s\n```\n", strings.TrimSuffix(cmp.Or(inLine(e["summary"]), e["name"].(string)), "."), text)
	}
}

// writeFields writes a table of the properties of a schema, required ones first.
func writeFields(b *strings.Builder, what string, schema object) {
	properties := at(schema, "properties")
	if len(properties) == 0 {
		return
	}
	always := words(schema["required"])
	fmt.Fprintf(b, "\n| %s | kind | always | personal | |\n|---|---|---|---|---|\n", what)
	for _, name := range slices.SortedFunc(maps.Keys(properties), func(x, y string) int {
		return cmp.Or(cmp.Compare(yes(slices.Contains(always, y)), yes(slices.Contains(always, x))), cmp.Compare(x, y))
	}) {
		p := at(properties, name)
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", name, kindOf(p), yes(slices.Contains(always, name)), yes(p["x-personal"] == true), inLine(p["description"]))
	}
}

func yes(is bool) string { return map[bool]string{true: "yes"}[is] }

// kindOf is the kind of a property with its bounds.
func kindOf(p object) string {
	kind := fmt.Sprint(p["type"])
	for _, bound := range []struct{ name, text string }{{"const", "always"}, {"maxLength", "length at most"}, {"minimum", "at least"}, {"maximum", "at most"},
		{"maxItems", "entries at most"}, {"maxProperties", "entries at most"}, {"pattern", "like"}} {
		if v, ok := p[bound.name]; ok {
			kind += ", " + bound.text + " `" + strings.ReplaceAll(fmt.Sprint(v), "|", "\\|") + "`"
		}
	}
	if list := words(p["enum"]); list != nil {
		kind += ": `" + strings.Join(list, "` `") + "`"
	}
	return kind
}
