// The golden events and the schema of events, against the type that is written.

package outbox

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"protocolq/messages"
)

// anEvent is one that the outbox makes, with as little as can be.
var anEvent = eventOf(&Run{}, &messages.Query{Partner: "2088000000000001"}, &messages.Result{Run: "r", Outcome: messages.Signed, AskedAtMs: 1}, 0)

// eventFields are the names of an event's fields on the wire.
func eventFields() []string {
	var all []string
	for f := range reflect.TypeOf(anEvent).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, name)
	}
	return all
}

func TestEventSchemaFitsTheType(t *testing.T) {
	var s struct {
		Properties map[string]struct {
			Enum []messages.Outcome
		}
		Required []string
	}
	if err := json.Unmarshal([]byte(messages.EventSchema()), &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(eventFields())), slices.Sorted(maps.Keys(s.Properties))); diff != "" {
		t.Errorf("fields (-type +schema):\n%s", diff)
	}
	run := slices.DeleteFunc(messages.Outcomes(), func(o messages.Outcome) bool { return o == messages.Accepted })
	if diff := cmp.Diff(run, s.Properties["outcome"].Enum); diff != "" {
		t.Errorf("outcomes (-of a run +schema):\n%s", diff)
	}
	data, err := json.Marshal(reflect.Zero(reflect.TypeOf(anEvent)).Interface())
	if err != nil {
		t.Fatal(err)
	}
	var always map[string]any
	if err := json.Unmarshal(data, &always); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(always)), slices.Sorted(slices.Values(s.Required))); diff != "" {
		t.Errorf("always there (-written +schema):\n%s", diff)
	}
}

// readEvent reads one that has no other field than the outbox writes.
func readEvent(t *testing.T, data []byte) any {
	t.Helper()
	e := reflect.New(reflect.TypeOf(anEvent)).Interface()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(e); err != nil {
		t.Error(err)
	}
	return e
}

// Each example fits the schema, and we write it byte for byte as the other hand did. Together they
// have every field.
func TestGoldenEvents(t *testing.T) {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(messages.EventSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("event", schema); err != nil {
		t.Fatal(err)
	}
	fits := c.MustCompile("event")
	files, _ := filepath.Glob(filepath.Join("..", "..", "messages", "testdata", "event", "*.json"))
	seen := map[string]any{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err == nil {
			err = fits.Validate(value)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		maps.Copy(seen, value.(map[string]any))
		ours, _ := json.MarshalIndent(readEvent(t, data), "", "  ")
		if diff := cmp.Diff(string(data), string(ours)+"\n"); diff != "" {
			t.Errorf("%s (-example +ours):\n%s", file, diff)
		}
	}
	for _, name := range eventFields() {
		if _, ok := seen[name]; !ok {
			t.Errorf("no example has the field %s", name)
		}
	}
}

// The contract's examples of events are read, and written as they stand, by the type, and it names
// the headers that are written.
func TestContractEvents(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "messages", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Components struct {
			Messages map[string]struct {
				Headers  struct{ Properties map[string]any }
				Examples []struct{ Payload map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(data, &contract); err != nil {
		t.Fatal(err)
	}
	event := contract.Components.Messages["event"]
	if len(event.Examples) == 0 {
		t.Error("there is no example")
	}
	for _, example := range event.Examples {
		said, _ := json.Marshal(example.Payload)
		ours, _ := json.Marshal(readEvent(t, said))
		var again map[string]any
		if err := json.Unmarshal(ours, &again); err != nil {
			t.Fatal(err)
		}
		back, _ := json.Marshal(again) // in the order of names, as said is
		if diff := cmp.Diff(string(said), string(back)); diff != "" {
			t.Errorf("read and written again (-example +ours):\n%s", diff)
		}
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	m, err := eventMessage(&anEvent, &messages.Result{Outcome: messages.Signed}, trace, &Options{Names: names, CloudEvents: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(m.Header)), slices.Sorted(maps.Keys(event.Headers.Properties))); diff != "" {
		t.Errorf("headers (-program +contract):\n%s", diff)
	}
}
