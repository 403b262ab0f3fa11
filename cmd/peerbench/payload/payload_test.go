// The answers that the bench takes, and those that it must not.
package payload_test

import (
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"protocolq/cmd/peerbench/payload"
)

func TestKeyAndUserID(t *testing.T) {
	email := payload.Key(42)
	if email != "2088000000000042@bench.example" || payload.UserID(email) != "2088000000000042" {
		t.Errorf("key 42 is %s, user %s", email, payload.UserID(email))
	}
	if payload.Key(1) == payload.Key(2) {
		t.Error("two numbers, one key")
	}
}

func TestQueryComesBack(t *testing.T) {
	body, err := payload.EncodeRequest("7", payload.Key(7), "protocol.reply.bench.7")
	if err != nil {
		t.Fatal(err)
	}
	q, err := payload.DecodeRequest(body)
	if want := (payload.Query{V: 1, ID: "7", UserEmail: payload.Key(7), ReplyTo: "protocol.reply.bench.7"}); err != nil || q != want {
		t.Errorf("got %+v, %v; want %+v", q, err, want)
	}
}

func TestDecodeRequestRefuses(t *testing.T) {
	for name, body := range map[string][]byte{
		"no msgpack":      {0xc1},
		"another version": encode(t, map[string]any{"v": 2, "id": "1", "user_email": "a@b"}),
		"no address":      encode(t, map[string]any{"v": 1, "id": "1"}),
	} {
		if q, err := payload.DecodeRequest(body); err == nil {
			t.Errorf("%s: taken as %+v", name, q)
		}
	}
}

func TestDecodeReply(t *testing.T) {
	user := payload.UserID(payload.Key(7))
	for _, c := range []struct {
		name     string
		reply    map[string]any
		ok, good bool
		code     string
	}{
		{"signed", map[string]any{"id": "7", "outcome": "signed", "user_id": user, "more": 1}, true, true, ""},
		{"abnormal, no user", map[string]any{"id": "7", "outcome": "abnormal", "code": "NO_NORMAL_SIGN_CUSTOMER"}, true, true, "NO_NORMAL_SIGN_CUSTOMER"},
		{"unknown with its code", map[string]any{"id": "7", "outcome": "unknown", "code": "OVERLOADED"}, false, true, "OVERLOADED"},
		{"refused without a code", map[string]any{"id": "7", "outcome": "refused"}, false, true, "refused"},
		{"another's id", map[string]any{"id": "8", "outcome": "signed"}, false, false, ""},
		{"another's account", map[string]any{"id": "7", "outcome": "signed", "user_id": "2088000000000008"}, false, false, ""},
		{"no outcome", map[string]any{"id": "7"}, false, false, ""},
	} {
		ok, code, err := payload.DecodeReply(encode(t, c.reply), "7", payload.Key(7))
		if ok != c.ok || code != c.code || (err == nil) != c.good {
			t.Errorf("%s: %v %q %v", c.name, ok, code, err)
		}
	}
	if _, _, err := payload.DecodeReply([]byte("x"), "7", payload.Key(7)); err == nil {
		t.Error("what is no msgpack was taken")
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
