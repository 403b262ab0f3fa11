// The contract for machines, asyncapi.yaml, against the program: subjects, headers, words and
// examples, in both directions.

package messages_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"protocolq/messages"
)

var update = flag.Bool("update", false, "write deploy/docs/contract.md anew")

// object is an object of the contract, with its references resolved.
type object = map[string]any

// contract reads asyncapi.yaml.
func contract(t testing.TB) object {
	t.Helper()
	var doc object
	if err := yaml.Unmarshal([]byte(readFile(t, "asyncapi.yaml")), &doc); err != nil {
		t.Fatal(err)
	}
	return inlined(t, doc, doc).(object)
}

// inlined is v with each $ref replaced by what it names in doc, or in a file.
func inlined(t testing.TB, doc object, v any) any {
	t.Helper()
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			return inlined(t, doc, referred(t, doc, ref))
		}
		all := object{}
		for name, of := range v {
			all[name] = inlined(t, doc, of)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = inlined(t, doc, v[i])
		}
		return all
	}
	return v
}

func referred(t testing.TB, doc object, ref string) any {
	t.Helper()
	path, within := strings.CutPrefix(ref, "#/")
	if !within {
		return must(jsonschema.UnmarshalJSON(strings.NewReader(readFile(t, ref))))(t)
	}
	var at any = doc
	for name := range strings.SplitSeq(path, "/") {
		of, _ := at.(object)
		if at = of[name]; at == nil {
			t.Fatalf("asyncapi.yaml refers to %s, which is not there", ref)
		}
	}
	return at
}

// at is the object under o with these names.
func at(o object, path ...string) object {
	for _, name := range path {
		o, _ = o[name].(object)
	}
	return o
}

// words are the texts of a list.
func words(v any) (all []string) {
	list, _ := v.([]any)
	for _, w := range list {
		all = append(all, w.(string))
	}
	return all
}

// constants are the values of the matching constants in a file of this package.
func constants(t testing.TB, file, name string) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^\t(?:`+name+`) += "([^"]+)"`).FindAllStringSubmatch(readFile(t, file), -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return all
}

func TestContractHasEveryHeader(t *testing.T) {
	named := map[string]bool{}
	for _, m := range at(contract(t), "components", "messages") {
		for name := range at(m.(object), "headers", "properties") {
			if !strings.HasPrefix(name, "ce-") { // CloudEvents' headers, which a test of events knows
				named[name] = true
			}
		}
	}
	if diff := cmp.Diff(constants(t, "headers.go", `Header\w*|Traceparent`), slices.Sorted(maps.Keys(named))); diff != "" {
		t.Errorf("headers (-program +contract):\n%s", diff)
	}
}

// A dead letter has the headers of the golden ones.
func TestContractHasTheHeadersOfADeadLetter(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range goldenDeadLetters(t) {
		for name := range g.Headers {
			seen[name] = true
		}
	}
	named := at(contract(t), "components", "messages", "deadLetter", "headers", "properties")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(seen)), slices.Sorted(maps.Keys(named))); diff != "" {
		t.Errorf("headers (-examples +contract):\n%s", diff)
	}
}

func TestContractHasEverySubject(t *testing.T) {
	n := names(t)
	want := []string{n.Query(), n.QueryOf("{partner}"), n.QueryOf("{partner}") + ".{asker}",
		n.Submit(), n.SubmitOf("{partner}", ""), n.SubmitOf("{partner}", "{asker}"),
		n.ReplyOf("{asker}"), n.Event("{partner}", "{outcome}"), n.Dead("{reason}")}
	var got []string
	channels := at(contract(t), "channels")
	for _, c := range channels {
		if address, ok := c.(object)["address"].(string); ok {
			got = append(got, address)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subjects (-program +contract):\n%s", diff)
	}
	reasons := words(at(channels, "dead", "parameters", "reason")["enum"])
	slices.Sort(reasons)
	if diff := cmp.Diff(constants(t, "subjects.go", `Dead\w+`), reasons); diff != "" {
		t.Errorf("reasons of dead letters (-program +contract):\n%s", diff)
	}
	if group := at(contract(t), "operations", "answer", "bindings", "nats")["queue"]; group != messages.QueueGroup {
		t.Errorf("the workers are the group %v", group)
	}
}

func TestContractHasEveryOutcome(t *testing.T) {
	c := contract(t)
	var all, ofRuns []string
	for _, o := range messages.Outcomes() {
		all = append(all, string(o))
		if o != messages.Accepted {
			ofRuns = append(ofRuns, string(o))
		}
		if said := at(c, "x-outcomes", string(o)); said["conclusive"] != o.Conclusive() {
			t.Errorf("%s: x-outcomes says %v", o, said)
		}
	}
	for what, got := range map[string][]string{
		"header": words(at(c, "components", "schemas", "outcome")["enum"]),
		"body":   words(at(c, "components", "messages", "result", "payload", "properties", "outcome")["enum"]),
	} {
		if diff := cmp.Diff(all, got); diff != "" {
			t.Errorf("%s (-program +contract):\n%s", what, diff)
		}
	}
	if diff := cmp.Diff(ofRuns, words(at(c, "channels", "event", "parameters", "outcome")["enum"])); diff != "" {
		t.Errorf("subject of an event (-program +contract):\n%s", diff)
	}
	if n := len(at(c, "x-outcomes")); n != len(all) {
		t.Errorf("x-outcomes has %d, not %d", n, len(all))
	}
}

// fits checks a value against a schema of the contract.
func fits(t testing.TB, schema, value any) {
	t.Helper()
	plain := func(v any) any { // as JSON has it
		return must(jsonschema.UnmarshalJSON(bytes.NewReader(must(json.Marshal(v))(t))))(t)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("contract", plain(schema)); err != nil {
		t.Fatal(err)
	}
	if err := must(c.Compile("contract"))(t).Validate(plain(value)); err != nil {
		t.Error(err)
	}
}

// Every example fits its schemas, and the program reads and writes it unchanged. A test of
// worker/outbox also reads the events.
func TestContractExamples(t *testing.T) {
	for kind, m := range at(contract(t), "components", "messages") {
		m := m.(object)
		examples, _ := m["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("%s has no example", kind)
		}
		for _, e := range examples {
			e := e.(object)
			t.Run(kind+" "+e["name"].(string), func(t *testing.T) {
				fits(t, m["payload"], e["payload"])
				if e["headers"] != nil {
					fits(t, m["headers"], e["headers"])
				}
				body := must(json.Marshal(e["payload"]))(t)
				var again []byte
				switch kind {
				case "query", "deadLetter":
					q, _, err := messages.DecodeQuery(body, "")
					if err != nil {
						t.Fatal(err)
					}
					again = must(q.Encode(messages.JSON))(t)
					e["payload"].(object)["v"] = messages.Version // which may be left out
					body = must(json.Marshal(e["payload"]))(t)
				case "result", "durableReply":
					again = must(must2(messages.DecodeResult(body, ""))(t).Encode(messages.JSON))(t)
				default:
					return
				}
				if diff := cmp.Diff(anyJSON(t, body), anyJSON(t, again)); diff != "" {
					t.Errorf("read and written again (-example +ours):\n%s", diff)
				}
			})
		}
	}
}

// A dead letter's headers agree with the query in it.
func TestContractDeadLetter(t *testing.T) {
	for _, e := range at(contract(t), "components", "messages", "deadLetter")["examples"].([]any) {
		g := goldenDead{Subject: "protocol.dead." + e.(object)["name"].(string), Headers: map[string]string{}, body: must(json.Marshal(e.(object)["payload"]))(t)}
		for name, value := range e.(object)["headers"].(object) {
			g.Headers[name] = value.(string)
		}
		envelope := g.envelope(t)
		if q, _, err := envelope.Query(); err != nil || q.ID != envelope.ID || q.Partner != envelope.Partner {
			t.Errorf("%+v, and its headers %+v: %v", q, envelope, err)
		}
	}
}
