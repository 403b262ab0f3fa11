// What the endpoints say of their messages, on a real server.

package intake_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"protocolq/messages"
)

// Each endpoint says by which schemas it is asked and answers: they take what the full ones take,
// and are short.
func TestServiceSchemas(t *testing.T) {
	f := newFixture(t)
	f.start()
	m := must(f.nc.Request("$SRV.INFO."+messages.ServiceName, nil, time.Minute))(t)
	var info micro.Info
	if err := json.Unmarshal(m.Data, &info); err != nil || len(info.Endpoints) != 2 {
		t.Fatalf("%v: %s", err, m.Data)
	}
	if len(m.Data) > 6<<10 {
		t.Errorf("it takes %d bytes", len(m.Data))
	}
	for _, e := range info.Endpoints {
		for what, kind := range map[string]string{"request": "query", "response": "result"} {
			schema := must(jsonschema.UnmarshalJSON(strings.NewReader(e.Metadata[what])))(t)
			c := jsonschema.NewCompiler()
			if err := c.AddResource(what, schema); err != nil {
				t.Fatal(err)
			}
			fits := must(c.Compile(what))(t)
			files := must(filepath.Glob(filepath.Join("..", "..", "messages", "testdata", kind, "*.json")))(t)
			if len(files) == 0 {
				t.Fatalf("no example of a %s", kind)
			}
			for _, file := range files {
				example := must(jsonschema.UnmarshalJSON(bytes.NewReader(must(os.ReadFile(file))(t))))(t)
				if err := fits.Validate(example); err != nil {
					t.Errorf("%s %s: %s: %v", e.Name, what, file, err)
				}
			}
			if fits.Validate(map[string]any{"v": 2}) == nil {
				t.Errorf("%s %s: takes anything", e.Name, what)
			}
		}
	}
}
