// The golden dead letters: their subject and headers show a reader everything that is known of an
// ask.

package messages_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

// goldenDead is one dead letter of testdata, made by another program.
type goldenDead struct {
	Subject string
	Headers map[string]string
	body    []byte
}

func goldenDeadLetters(t testing.TB) map[string]goldenDead {
	t.Helper()
	all := map[string]goldenDead{}
	for _, file := range must(filepath.Glob(filepath.Join("testdata", "dead", "*.json")))(t) {
		var g goldenDead
		if err := json.Unmarshal(must(os.ReadFile(file))(t), &g); err != nil {
			t.Fatal(err)
		}
		head := strings.TrimSuffix(file, ".json")
		g.body = must(os.ReadFile(head + ".body"))(t)
		all[filepath.Base(head)] = g
	}
	return all
}

// envelope reads a dead letter like the fleet's own tools.
func (g *goldenDead) envelope(t testing.TB) messages.Envelope {
	t.Helper()
	header := map[string][]string{}
	for name, value := range g.Headers {
		header[name] = []string{value}
	}
	e := must(names(t).ParseEnvelope(g.Subject, header, g.body))(t)
	if diff := cmp.Diff(header, e.Header()); diff != "" {
		t.Errorf("header (-example +ours):\n%s", diff)
	}
	return e
}

// Two hold enough to be asked again. For the others the reason says why not, in the reader's own
// words.
func TestGoldenDeadLetters(t *testing.T) {
	want := map[string]struct{ asks, why string }{
		"expired":    {asks: "query/typical"},
		"crashed":    {asks: "query/given-key"},
		"unreadable": {why: "BAD_REQUEST: user_mail: is not a field of a query; did you mean user_email?"},
		"cut":        {},
	}
	found := goldenDeadLetters(t)
	if len(found) != len(want) {
		t.Fatalf("%d dead letters, not %d", len(found), len(want))
	}
	for name, w := range want {
		g := found[name]
		e := g.envelope(t)
		q, _, err := e.Query()
		switch {
		case w.asks != "":
			asked, _, _ := messages.DecodeQuery(must(os.ReadFile(filepath.Join("testdata", w.asks+".json")))(t), "")
			if diff := cmp.Diff(asked, q); diff != "" || err != nil {
				t.Errorf("%s: %v (-asked +read):\n%s", name, err, diff)
			}
			if e.ID != q.ID || e.Partner != q.Partner {
				t.Errorf("%s: the headers name %s of %s, the body %s of %s", name, e.ID, e.Partner, q.ID, q.Partner)
			}
		case err == nil:
			t.Errorf("%s: its body can be read", name)
		case w.why != "" && (e.Why != w.why || err.Error() != w.why):
			t.Errorf("%s: %s, and its body: %v", name, e.Why, err)
		}
	}
}

// In a dead letter with only a part of the body, the hash identifies the message.
func TestGoldenDeadLetterThatIsCut(t *testing.T) {
	g := goldenDeadLetters(t)["cut"]
	e := g.envelope(t)
	whole := `{"id":"8","account_no":"2088123456789012","meta":{"note":"` + strings.Repeat("x", 1500) + `"}}`
	sum := sha256.Sum256([]byte(whole))
	if !strings.HasPrefix(whole, string(g.body)) || e.BodySum != hex.EncodeToString(sum[:]) {
		t.Errorf("%d bytes with the hash %s are not of the message that was cut", len(g.body), e.BodySum)
	}
	_, _, err := messages.DecodeQuery([]byte(whole), "")
	if err == nil || !strings.HasPrefix(e.Why, err.Error()+"; the first 1024 of ") {
		t.Errorf("it is dead because %s, and the whole: %v", e.Why, err)
	}
}
