// The golden examples of testdata, read and written.

package messages_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

// golden is one example of testdata, made by another program.
type golden struct {
	name         string
	packed, text []byte
}

func goldens(t testing.TB, kind string) []golden {
	t.Helper()
	files := must(filepath.Glob(filepath.Join("testdata", kind, "*.msgpack")))(t)
	if len(files) < 6 {
		t.Fatalf("testdata/%s has %d examples", kind, len(files))
	}
	var all []golden
	for _, f := range files {
		text := strings.TrimSuffix(f, ".msgpack") + ".json"
		all = append(all, golden{filepath.Base(f), must(os.ReadFile(f))(t), must(os.ReadFile(text))(t)})
	}
	return all
}

func TestGoldenQueries(t *testing.T) {
	for _, g := range goldens(t, "query") {
		t.Run(g.name, func(t *testing.T) {
			packed, e, err := messages.DecodeQuery(g.packed, "")
			if err != nil || e != messages.MsgPack {
				t.Fatalf("bytes: %s, %v", e, err)
			}
			text, e, err := messages.DecodeQuery(g.text, "")
			if err != nil || e != messages.JSON {
				t.Fatalf("text: %s, %v", e, err)
			}
			if diff := cmp.Diff(text, packed); diff != "" {
				t.Errorf("bytes and text differ (-text +bytes):\n%s", diff)
			}
			sameBytes(t, g, packed.Encode)
		})
	}
}

func TestGoldenResults(t *testing.T) {
	for _, g := range goldens(t, "result") {
		t.Run(g.name, func(t *testing.T) {
			packed, e, err := messages.DecodeResult(g.packed, "")
			if err != nil || e != messages.MsgPack {
				t.Fatalf("bytes: %s, %v", e, err)
			}
			text, e, err := messages.DecodeResult(g.text, "")
			if err != nil || e != messages.JSON {
				t.Fatalf("text: %s, %v", e, err)
			}
			if diff := cmp.Diff(text, packed); diff != "" {
				t.Errorf("bytes and text differ (-text +bytes):\n%s", diff)
			}
			sameBytes(t, g, packed.Encode)
		})
	}
}

// sameBytes checks that we write, field by field, what the other program wrote.
func sameBytes(t *testing.T, g golden, encode func(messages.Encoding) ([]byte, error)) {
	t.Helper()
	if diff := cmp.Diff(anyJSON(t, g.text), anyJSON(t, must(encode(messages.JSON))(t))); diff != "" {
		t.Errorf("JSON (-example +ours):\n%s", diff)
	}
	ours := must(encode(messages.MsgPack))(t)
	if strings.Contains(string(g.text), "\n    \"") { // meta: its names are sorted here, but not in the other program
		if len(ours) != len(g.packed) {
			t.Errorf("MessagePack of %d bytes, the example has %d", len(ours), len(g.packed))
		}
		return
	}
	if !bytes.Equal(ours, g.packed) {
		t.Errorf("MessagePack:\nours    %x\nexample %x", ours, g.packed)
	}
}

// anyJSON reads JSON with another reader.
func anyJSON(t testing.TB, data []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A message cut short anywhere is refused.
func TestCutShort(t *testing.T) {
	for kind, decode := range decoders() {
		for _, g := range goldens(t, kind) {
			text := bytes.TrimSpace(g.text)
			for _, data := range [][]byte{g.packed, text} {
				for n := range data {
					if decode(data[:n]) == nil {
						t.Errorf("%s: the first %d of %d bytes were taken", g.name, n, len(data))
					}
				}
			}
		}
	}
}
