// Random bytes: no panic, and accepted messages stay the same.

package messages_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vmihailenco/msgpack/v5"

	"protocolq/messages"
)

// seed adds the golden examples and the short hostile cases (with long seeds the fuzzer spends its
// time on shortening them).
func seed(f *testing.F, kind string, inJSON bool) {
	f.Helper()
	n := 0
	for _, g := range goldens(f, kind) {
		data := g.packed
		if inJSON {
			data = g.text
		}
		if len(data) < 4096 {
			f.Add(data)
			n++
		}
	}
	for _, data := range hostile() {
		f.Add([]byte(data[:min(len(data), 200)]))
		n++
	}
	if n < 20 {
		f.Fatalf("%d seeds", n)
	}
}

func FuzzDecodeQuery(f *testing.F) {
	seed(f, "query", false)
	f.Fuzz(func(t *testing.T, data []byte) { checkQuery(t, data, messages.MsgPack) })
}

func FuzzDecodeQueryJSON(f *testing.F) {
	seed(f, "query", true)
	f.Fuzz(func(t *testing.T, data []byte) { checkQuery(t, data, messages.JSON) })
}

// checkQuery checks what must hold for any bytes: a refusal can be reported, and an accepted query
// stays the same when it is written and read again. The common decoders also read the same, and are
// safe once the walk has passed.
func checkQuery(t *testing.T, data []byte, e messages.Encoding) {
	q, gotEncoding, err := messages.DecodeQuery(data, string(e))
	if gotEncoding != e {
		t.Fatalf("encoding %q", gotEncoding)
	}
	if err != nil {
		checkRefusal(t, err)
		checkLegible(t, q)
		return
	}
	if err := q.Check(); err != nil {
		t.Fatalf("taken, then refused: %v", err)
	}
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		again, _, err := messages.DecodeQuery(must(q.Encode(e))(t), "")
		if diff := cmp.Diff(q, again); err != nil || diff != "" {
			t.Fatalf("written as %s: %v\n%s", e, err, diff)
		}
	}
	var other messages.Query
	checkOther(t, data, e, &other)
	other.V, other.UserEmail = messages.Version, strings.Trim(other.UserEmail, " ")
	if diff := cmp.Diff(q, other, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("a common decoder reads (-ours +theirs):\n%s", diff)
	}
	if len(q.KeyToken()) != 26 {
		t.Fatal(q.KeyToken())
	}
}

func FuzzDecodeResult(f *testing.F) {
	seed(f, "result", false)
	seed(f, "result", true)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, e, err := messages.DecodeResult(data, "")
		if err != nil {
			checkRefusal(t, err)
			return
		}
		for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
			written, err := r.Encode(e)
			if err != nil && strings.Contains(err.Error(), "at most 65536") {
				continue // JSON escapes can make it longer than it was
			}
			again, _, err2 := messages.DecodeResult(written, "")
			if diff := cmp.Diff(r, again); err != nil || err2 != nil || diff != "" {
				t.Fatalf("written as %s: %v, %v\n%s", e, err, err2, diff)
			}
		}
		if e == messages.JSON && !json.Valid(data) {
			t.Fatalf("%q is not JSON", data)
		}
	})
}

// checkLegible: of a refused query only fields that are valid by themselves come through.
func checkLegible(t *testing.T, q messages.Query) {
	t.Helper()
	few := messages.Query{ID: q.ID, Key: q.Key, Partner: q.Partner, ReplyTo: q.ReplyTo, UserEmail: q.UserEmail, AccountNo: q.AccountNo}
	if diff := cmp.Diff(few, q); diff != "" {
		t.Fatalf("refused, yet there is more: %s", diff)
	}
	few.V = messages.Version
	if few.UserEmail == "" && few.AccountNo == "" {
		few.UserEmail = "a@b.cn"
	}
	if err := few.Check(); err != nil {
		t.Fatalf("refused, and what is left is not right: %v", err)
	}
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var e *messages.Error
	if !errors.As(err, &e) || e.Reason == "" {
		t.Fatalf("%#v", err)
	}
	if _, ok := messages.OutcomeOf(e.Code); !ok {
		t.Fatalf("code %q", e.Code)
	}
	if s := err.Error(); len(s) > 400 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Fatalf("says %q", s)
	}
	for _, encoding := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		must(e.Result().Encode(encoding))(t)
	}
}

func checkOther(t *testing.T, data []byte, e messages.Encoding, into any) {
	t.Helper()
	read := json.Unmarshal
	if e == messages.MsgPack {
		read = msgpack.Unmarshal
	}
	if err := read(data, into); err != nil {
		t.Fatalf("a common decoder refuses: %v", err)
	}
}
