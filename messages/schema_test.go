// The JSON Schemas against the types, the golden examples and the reader.

package messages_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

// schema is the part of JSON Schema that ours use; an unknown word is an error of the test.
type schema struct {
	Schema, ID, Title, Description, Comment string
	Type                                    string
	Const                                   any
	Enum                                    []string
	Pattern                                 string
	MinLength, MaxLength, MaxProperties     *int
	Minimum, Maximum, ExclusiveMaximum      *float64
	Properties                              map[string]*schema
	PropertyNames                           *schema
	AdditionalProperties                    json.RawMessage
	Required                                []string
	AnyOf                                   []schema
	Personal                                bool
}

func readSchema(t testing.TB, text string) *schema {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(strings.NewReplacer(`"$schema"`, `"schema"`, `"$id"`, `"id"`, `"$comment"`, `"comment"`, `"x-personal"`, `"personal"`).Replace(text)))
	dec.DisallowUnknownFields()
	var s schema
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// faults says how v differs from the schema.
func (s *schema) faults(path string, v any) (all []string) {
	add := func(format string, args ...any) { all = append(all, path+": "+fmt.Sprintf(format, args...)) }
	if s.Const != nil && !cmp.Equal(s.Const, v) {
		add("is not %v", s.Const)
	}
	switch v := v.(type) {
	case string:
		n := utf8.RuneCountInString(v)
		switch {
		case s.Type != "" && s.Type != "string":
			add("is text")
		case s.MinLength != nil && n < *s.MinLength, s.MaxLength != nil && n > *s.MaxLength:
			add("has %d characters", n)
		case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v):
			add("%q does not match", v)
		case s.Enum != nil && !slices.Contains(s.Enum, v):
			add("%q is not listed", v)
		}
	case float64:
		switch {
		case s.Type != "integer" || v != float64(int64(v)):
			add("is a number")
		case s.Minimum != nil && v < *s.Minimum, s.Maximum != nil && v > *s.Maximum, s.ExclusiveMaximum != nil && v >= *s.ExclusiveMaximum:
			add("%v is out of bounds", v)
		}
	case map[string]any:
		all = append(all, s.objectFaults(path, v)...)
	default:
		if got := map[bool]string{true: "boolean"}[v == true || v == false]; s.Type != got {
			add("is %T", v)
		}
	}
	return all
}

func (s *schema) objectFaults(path string, v map[string]any) (all []string) {
	if s.Type != "" && s.Type != "object" || s.MaxProperties != nil && len(v) > *s.MaxProperties {
		all = append(all, path+": is an object or has too many entries")
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			all = append(all, path+"."+name+": is missing")
		}
	}
	if len(s.AnyOf) > 0 && !slices.ContainsFunc(s.AnyOf, func(a schema) bool { return len(a.faults(path, v)) == 0 }) {
		all = append(all, path+": is none of anyOf")
	}
	for name, value := range v {
		if s.PropertyNames != nil {
			all = append(all, s.PropertyNames.faults(path+" name", name)...)
		}
		known, ok := s.Properties[name]
		var rest schema
		switch {
		case ok:
			all = append(all, known.faults(path+"."+name, value)...)
		case string(s.AdditionalProperties) == "false":
			all = append(all, path+"."+name+": is unknown")
		case strings.HasPrefix(string(s.AdditionalProperties), "{") && json.Unmarshal(s.AdditionalProperties, &rest) == nil:
			all = append(all, rest.faults(path+"."+name, value)...)
		}
	}
	return all
}

// jsonTypes are the names on the wire of a message type, each with its JSON type.
func jsonTypes(t testing.TB, message any) map[string]string {
	t.Helper()
	all := map[string]string{}
	for f := range reflect.TypeOf(message).Fields() {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag := f.Tag.Get("msgpack"); tag != f.Tag.Get("json") {
			t.Errorf("%s is %q in MessagePack and %q in JSON", f.Name, tag, f.Tag.Get("json"))
		}
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
			if rest != "omitempty" {
				t.Errorf("%s would be written as nil", name)
			}
		}
		all[name] = map[reflect.Kind]string{
			reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Int64: "integer", reflect.Map: "object",
		}[typ.Kind()]
	}
	return all
}

func schemas(t testing.TB) map[string]*schema {
	return map[string]*schema{"query": readSchema(t, messages.QuerySchema()), "result": readSchema(t, messages.ResultSchema())}
}

func TestSchemasFitTheTypes(t *testing.T) {
	for kind, message := range map[string]any{"query": messages.Query{}, "result": messages.Result{}} {
		s := schemas(t)[kind]
		got := map[string]string{}
		for name, p := range s.Properties {
			got[name] = p.Type
			if p.Description == "" && p.Const == nil {
				t.Errorf("%s.%s has no description", kind, name)
			}
		}
		if diff := cmp.Diff(jsonTypes(t, message), got); diff != "" {
			t.Errorf("%s (-type +schema):\n%s", kind, diff)
		}
	}
	for name, list := range map[string][]string{"outcome": {}, "source": {"asked", "joined", "remembered"}, "verified": {"verified", "unsigned"}} {
		if name == "outcome" {
			for _, o := range messages.Outcomes() {
				list = append(list, string(o))
			}
		}
		if diff := cmp.Diff(list, schemas(t)["result"].Properties[name].Enum); diff != "" {
			t.Errorf("%s (-type +schema):\n%s", name, diff)
		}
	}
}

func TestGoldensFitTheSchemas(t *testing.T) {
	for kind, s := range schemas(t) {
		for _, g := range goldens(t, kind) {
			for _, fault := range s.faults(kind, anyJSON(t, g.text)) {
				t.Errorf("%s: %s", g.name, fault)
			}
		}
	}
	for kind, message := range map[string]interface {
		Encode(messages.Encoding) ([]byte, error)
	}{"query": typicalQuery(), "result": typicalResult()} {
		if faults := schemas(t)[kind].faults(kind, anyJSON(t, must(message.Encode(messages.JSON))(t))); faults != nil {
			t.Error(faults)
		}
	}
}

// What the schema of a Query refuses, the reader refuses, and the reverse, as far as a schema can
// express it.
func TestSchemaAndReaderAgree(t *testing.T) {
	const account = "2088123456789012"
	s := schemas(t)["query"]
	wrong := map[string]map[string]any{}
	for name, values := range map[string][]any{
		"v": {2.0, "1"}, "id": {strings.Repeat("x", 129), "a\n", 7.0, []any{}}, "key": {strings.Repeat("x", 129), "\x7f"}, "partner": {"1", "20880011223344556"},
		"user_email": {"a", "a@b", "@b.cn", "a b@b.cn", "a@b@c.cn", "+", "1-"}, "account_no": {"1", "x"}, "biz_type": {"10005", 10004.0},
		"max_age_ms": {-1.0, 1e12, 0.5, "0"}, "deadline_ms": {1795424400.0, 1e13, true},
		"reply_to": {"a.>", "a.*", "$JS.a", "a..b", ".a", "a b", "张", strings.Repeat("x", 256)},
		"meta":     {"x", map[string]any{"": "x"}, map[string]any{"a": 1.0}, map[string]any{"a": strings.Repeat("x", 257)}}, "unknown": {"x"},
	} {
		for i, v := range values {
			wrong[fmt.Sprint(name, i)] = map[string]any{"account_no": account, name: v}
		}
	}
	wrong["neither"] = map[string]any{"v": 1.0}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		data := must(json.Marshal(wrong[name]))(t)
		if _, _, err := messages.DecodeQuery(data, ""); err == nil || len(s.faults("query", anyJSON(t, data))) == 0 {
			t.Errorf("%s: reader %v, schema %v", data, err, s.faults("query", anyJSON(t, data)))
		}
	}
}
