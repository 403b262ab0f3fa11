// The document is OpenAPI 3.1, and describes what the door does: no more and no less.

package httpdoor

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
)

var update = flag.Bool("update", false, "write the workers' schemas into the document")

// documentURL is where the test's compiler finds the document.
const documentURL = "file:///openapi.json"

// read returns the document as JSON values. It is parsed once, because every answer of every
// test is checked against it. A test that changes it clones it first.
func read(t *testing.T) map[string]any {
	t.Helper()
	doc, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

var parsed = sync.OnceValues(func() (map[string]any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(document, &doc); err != nil {
		return nil, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return v.(map[string]any), nil
})

// compiler keeps the parts of the document that it has compiled.
var compiler struct {
	sync.Mutex // guards it
	*jsonschema.Compiler
}

// schema returns the compiled part of the document at a JSON pointer.
func schema(t *testing.T, pointer string) *jsonschema.Schema {
	t.Helper()
	compiler.Lock()
	defer compiler.Unlock()
	if compiler.Compiler == nil {
		compiler.Compiler = jsonschema.NewCompiler()
		if err := compiler.AddResource(documentURL, read(t)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := compiler.Compile(documentURL + "#" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocumentIsOpenAPI(t *testing.T) {
	file, err := os.Open("testdata/oas31.schema.json") // as spec.openapis.org publishes it
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	published, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("https://spec.openapis.org/oas/3.1/schema/2022-10-07", published); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://spec.openapis.org/oas/3.1/schema/2022-10-07")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(read(t)); err != nil {
		t.Error(err)
	}
	doc := maps.Clone(read(t))
	info := maps.Clone(doc["info"].(map[string]any))
	delete(info, "title")
	if doc["info"] = info; s.Validate(doc) == nil {
		t.Error("a document without a title passes")
	}
	for name := range at(t, read(t), "components", "schemas").(map[string]any) {
		schema(t, "/components/schemas/"+name) // a JSON Schema, and every reference in it resolves
	}
	for _, ref := range references(read(t)) {
		schema(t, strings.TrimPrefix(ref, "#"))
	}
}

// at returns the value at a path of keys.
func at(t *testing.T, value any, keys ...string) any {
	t.Helper()
	for _, k := range keys {
		m, ok := value.(map[string]any)
		if !ok || m[k] == nil {
			t.Fatalf("the document has no %s", strings.Join(keys, " / "))
		}
		value = m[k]
	}
	return value
}

// references returns the texts of all $ref.
func references(value any) (all []string) {
	switch v := value.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			all = append(all, ref)
		}
		for _, inner := range v {
			all = append(all, references(inner)...)
		}
	case []any:
		for _, inner := range v {
			all = append(all, references(inner)...)
		}
	}
	return all
}

func TestDocumentHasAllRoutes(t *testing.T) {
	var said, done []string
	for path, item := range at(t, read(t), "paths").(map[string]any) {
		for method, of := range item.(map[string]any) {
			_, open := of.(map[string]any)["security"]
			said = append(said, fmt.Sprintf("%s %s, open: %v", strings.ToUpper(method), path, open))
		}
	}
	for _, rt := range routes() {
		done = append(done, fmt.Sprintf("%s %s, open: %v", rt.method, rt.path, rt.open))
	}
	slices.Sort(said)
	slices.Sort(done)
	if d := cmp.Diff(done, said); d != "" {
		t.Error("what is done, and what the document says:\n" + d)
	}
}

func TestDocumentHasAllProblems(t *testing.T) {
	var done []any
	for _, k := range kinds() {
		done = append(done, typeHead+k.name)
	}
	of := at(t, read(t), "components", "schemas", "Problem", "properties").(map[string]any)
	if d := cmp.Diff(done, at(t, of["type"], "enum")); d != "" {
		t.Error(d)
	}
}

// The operation that can end in any of the problems lists their statuses, and no others.
func TestDocumentHasAllStatuses(t *testing.T) {
	responses := at(t, read(t), "paths", "/v1/queries", "post", "responses").(map[string]any)
	want := map[string]bool{"200": true, "202": true}
	for _, k := range kinds() {
		if k.name != notFound.name && k.name != wrongMethod.name { // these belong to other paths
			want[fmt.Sprint(k.status)] = true
		}
	}
	if d := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(responses))); d != "" {
		t.Error(d)
	}
}

// The door's own messages have exactly the fields that the document lists.
func TestDocumentHasAllFields(t *testing.T) {
	for name, of := range map[string]reflect.Type{"Problem": reflect.TypeFor[problem](), "State": reflect.TypeFor[state](), "Batch": reflect.TypeFor[batch](),
		"Accepted": reflect.TypeFor[accepted](), "BatchState": reflect.TypeFor[batchState](), "UndeliveredList": reflect.TypeFor[undeliveredList](),
		"Undelivered": reflect.TypeFor[undelivered](), "Delivery": reflect.TypeFor[webhook.Body]()} {
		var fields []string
		for _, f := range reflect.VisibleFields(of) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && len(f.Index) == 1 {
				fields = append(fields, name)
			}
		}
		slices.Sort(fields)
		said := at(t, read(t), "components", "schemas", name, "properties").(map[string]any)
		if d := cmp.Diff(fields, slices.Sorted(maps.Keys(said))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestDocumentHasTheWorkersSchemas(t *testing.T) {
	const begin, end = "    # the workers' schemas", "    # end of the workers' schemas"
	text := string(document)
	head, rest, ok := strings.Cut(text, begin)
	comment, rest, _ := strings.Cut(rest, "\n")
	section, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the document has no place for them")
	}
	want := "    Query: " + schemaText(t, messages.QuerySchema(), "reply_to") + "    Result: " + schemaText(t, messages.ResultSchema(), "")
	if *update && section != want {
		if err := os.WriteFile("openapi.yaml", []byte(head+begin+comment+"\n"+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, section); d != "" {
		t.Error("go test ./cmd/protocolq/httpdoor -run TestDocumentHasTheWorkersSchemas -update\n" + d)
	}
}

// schemaText returns a schema as the document has it: without what belongs only in its own
// file, and without one property.
func schemaText(t *testing.T, of, without string) string {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal([]byte(of), &s); err != nil {
		t.Fatal(err)
	}
	delete(s, "$schema")
	delete(s, "$id")
	delete(s["properties"].(map[string]any), without)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("      ", "  ")
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(b.String(), " ")
}

// Every example matches its schema, and those of the workers' messages can be decoded.
func TestDocumentExamples(t *testing.T) {
	n := 0
	for _, content := range contents(read(t)) {
		kind := strings.TrimPrefix(at(t, content, "schema", "$ref").(string), "#/components/schemas/")
		examples, _ := content["examples"].(map[string]any)
		for name, e := range examples {
			n++
			value := at(t, e, "value")
			if err := schema(t, "/components/schemas/"+kind).Validate(value); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			switch kind {
			case "Query":
				_, _, err = messages.DecodeQuery(text, string(messages.JSON))
			case "Result":
				_, _, err = messages.DecodeResult(text, string(messages.JSON))
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d examples found", n)
	}
}

// contents returns all media types of the document that have a schema.
func contents(value any) (all []map[string]any) {
	switch v := value.(type) {
	case map[string]any:
		if of, ok := v["content"].(map[string]any); ok {
			for _, media := range of {
				if m := media.(map[string]any); m["schema"] != nil {
					all = append(all, m)
				}
			}
		}
		for _, inner := range v {
			all = append(all, contents(inner)...)
		}
	case []any:
		for _, inner := range v {
			all = append(all, contents(inner)...)
		}
	}
	return all
}
