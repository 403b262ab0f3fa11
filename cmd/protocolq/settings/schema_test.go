// The JSON Schema accepts what the reader of a settings file accepts, as far as a schema can.

package settings_test

import (
	"encoding/json"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/settings"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(settings.Schema())
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("settings.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("settings.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchema(t *testing.T) {
	s := compiled(t)
	for file, good := range map[string]bool{
		"partner: '2088000000000001'\nkey_file: a.key\nslots: 9\nlease: 1m30s\nunsafe_gateway: true\nafter_crash: fail\n": true,
		"nats: [nats://a:4222, nats://b:4222]\n":                  true,
		"nats: nats://a:4222,nats://b:4222\n":                     true,
		"partners: [{id: '2088000000000001', key_file: a.key}]\n": true,
		"partners: [{id: '2088000000000001'}]\n":                  false,
		"partners: [{id: '2088000000000001', keyfile: a.key}]\n":  false,
		"slotz: 9\n":                false,
		"slots: 0\n":                false,
		"slots: many\n":             false,
		"lease: soon\n":             false,
		"lease: 12\n":               false,
		"after_crash: hope\n":       false,
		"unsafe_gateway: perhaps\n": false,
		"reply_allow: ['a,b']\n":    false,
		"http_listen: ':8080'\nlog_retention: 0s\nfreshness: 90s\n": true,
	} {
		var value any
		if err := yaml.Unmarshal([]byte(file), &value); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); (err == nil) != good {
			t.Errorf("%q: %v, want it good: %v", file, err, good)
		}
	}
}

// Every setting is in the schema, with a description and the kind of its value.
func TestSchemaHasAll(t *testing.T) {
	properties := settings.Schema()["properties"].(map[string]any)
	for _, v := range settings.New(&settings.Config{}).Values() {
		p, ok := properties[v.Key].(map[string]any)
		if !ok || p["description"] == "" || p["type"] == nil && p["anyOf"] == nil && p["enum"] == nil {
			t.Errorf("%s: %v", v.Key, p)
		}
	}
	if len(properties) != len(settings.Names()) {
		t.Errorf("%d properties for %d settings", len(properties), len(settings.Names()))
	}
}
