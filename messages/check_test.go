// What is refused, and with which text.

package messages_test

import (
	"errors"
	"strings"
	"testing"

	"protocolq/messages"
)

// Each refusal, word for word: scripts and people read them.
func TestRefusals(t *testing.T) {
	const ok = `"account_no":"2088123456789012"`
	for _, c := range []struct{ data, want string }{
		{`{}`, "BAD_REQUEST: user_email: is missing, as is account_no; give at least one of the two"},
		{`{"user_email":"  "}`, "BAD_REQUEST: user_email: is missing, as is account_no; give at least one of the two"},
		{`{"v":2,` + ok + `}`, "BAD_REQUEST: v: is 2; this worker speaks version 1"},
		{`{"v":0,` + ok + `}`, "BAD_REQUEST: v: is 0; this worker speaks version 1"},
		{`{"v":"1",` + ok + `}`, "BAD_REQUEST: v: is text; send an integer"},
		{`{"v":4294967297,` + ok + `}`, "BAD_REQUEST: v: 4294967297 is out of range"},
		{`{"id":"` + strings.Repeat("x", 129) + `",` + ok + `}`, "BAD_REQUEST: id: is 129 characters long; at most 128"},
		{`{"id":"a\nb",` + ok + `}`, "BAD_REQUEST: id: has the character U+000A; use printable characters only"},
		{`{"id":"a\u202eb",` + ok + `}`, "BAD_REQUEST: id: has the character U+202E; use printable characters only"},
		{`{"id":7,` + ok + `}`, "BAD_REQUEST: id: is an integer; send text (in JSON with quotes)"},
		{`{"user_emial":null,` + ok + `}`, "BAD_REQUEST: user_emial: is not a field of a query; did you mean user_email?"},
		{`{"key":" k",` + ok + `}`, "BAD_REQUEST: key: begins or ends with a space; take it away"},
		{`{"key":true,` + ok + `}`, "BAD_REQUEST: key: is a boolean; send text"},
		{`{"partner":"2089001122334455",` + ok + `}`, "BAD_REQUEST: partner: is not a partner id; give 16 digits that begin with 2088"},
		{`{"partner":2088001122334455,` + ok + `}`, "BAD_REQUEST: partner: is an integer; send text (in JSON with quotes)"},
		{`{"account_no":"208812345678901"}`, "BAD_REQUEST: account_no: is not an account number; give 16 to 20 digits"},
		{`{"account_no":"２０８８１２３４５６７８９０１２"}`, "BAD_REQUEST: account_no: is not an account number; give 16 to 20 digits"},
		{`{"account_no":"208812345678901234567"}`, "BAD_REQUEST: account_no: is not an account number; give 16 to 20 digits"},
		{`{"biz_type":"10005",` + ok + `}`, "BAD_REQUEST: biz_type: is unknown; leave it out or give 10004"},
		{`{"max_age_ms":-1,` + ok + `}`, "BAD_REQUEST: max_age_ms: is -1; give 0 or more milliseconds"},
		{`{"max_age_ms":315360000001,` + ok + `}`, "BAD_REQUEST: max_age_ms: is 315360000001; give at most 315360000000 milliseconds (ten years)"},
		{`{"max_age_ms":1.5,` + ok + `}`, "BAD_REQUEST: max_age_ms: is a float with a fraction, or from 2^53 on; send an integer"},
		{`{"max_age_ms":9223372036854775808,` + ok + `}`, "BAD_REQUEST: max_age_ms: is an integer beyond 64 bits with sign; send an integer"},
		{`{"max_age_ms":0,"key":"k",` + ok + `}`, "BAD_REQUEST: max_age_ms: cannot go with key: one key is one request, answered once; leave out one of the two"},
		{`{"deadline_ms":1795424400,` + ok + `}`, "BAD_REQUEST: deadline_ms: is 1795424400, which looks like seconds; give unix time in milliseconds"},
		{`{"deadline_ms":1795424400000000,` + ok + `}`, "BAD_REQUEST: deadline_ms: is 1795424400000000; give unix time in milliseconds"},
		{`{"deadline_ms":-1,` + ok + `}`, "BAD_REQUEST: deadline_ms: is -1; give unix time in milliseconds"},
		{`{"reply_to":"a.>",` + ok + `}`, "REPLY_REFUSED: reply_to: has a wildcard; name one subject"},
		{`{"reply_to":"a\r\nb",` + ok + `}`, "REPLY_REFUSED: reply_to: has a space, a control character or a letter outside ASCII"},
		{`{"reply_to":"` + strings.Repeat("x", 4096) + `",` + ok + `}`, "REPLY_REFUSED: reply_to: is 4096 bytes long; at most 255"},
		{`{"meta":"x",` + ok + `}`, "BAD_REQUEST: meta: is text; send a map"},
		{`{"meta":["x"],` + ok + `}`, "BAD_REQUEST: meta: is a list; send a map"},
		{`{"meta":{"a":1},` + ok + `}`, `BAD_REQUEST: meta: the value of "a" is an integer; send text`},
		{`{"meta":{"a":{"b":"c"}},` + ok + `}`, `BAD_REQUEST: meta: the value of "a" is a map; send text`},
		{`{"meta":{"a":"b\u0007"},` + ok + `}`, `BAD_REQUEST: meta: the value of "a" has the character U+0007; use printable characters only`},
		{`{"meta":{"a\u0007":"b"},` + ok + `}`, "BAD_REQUEST: meta: a name has the character U+0007; use printable characters only"},
		{`{"meta":{"` + strings.Repeat("张", 22) + `":"b"},` + ok + `}`, "BAD_REQUEST: meta: a name is 66 bytes long; give 1 to 64"},
		{`{"id":"a` + "\n" + `b"}`, "BAD_REQUEST: id: is not JSON at byte 8: a control character stands bare in a text; escape it"},
		{`{"id":"\\` + "\n" + `b"}`, "BAD_REQUEST: id: is not JSON at byte 9: a control character stands bare in a text; escape it"},
		{`{"id":"\u12x4"}`, "BAD_REQUEST: id: is not JSON at byte 12: an escape is spelled wrong or is half of a surrogate pair"},
		{`{"id":nul}`, "BAD_REQUEST: id: is not JSON at byte 6: a value is expected"},
		{`{"meta":{"":"b"},` + ok + `}`, "BAD_REQUEST: meta: a name is 0 bytes long; give 1 to 64"},
		{`{"meta":{"a":"` + strings.Repeat("x", 257) + `"},` + ok + `}`, `BAD_REQUEST: meta: the value of "a" is 257 bytes long; at most 256`},
		{`{"meta":{` + numbered(17) + `},` + ok + `}`, "BAD_REQUEST: meta: has 17 entries; at most 16"},
		{`{"max_age":5,` + ok + `}`, "BAD_REQUEST: max_age: is not a field of a query; did you mean max_age_ms?"},
		{`{"userEmail":"a@b.cn"}`, "BAD_REQUEST: userEmail: is not a field of a query; did you mean user_email?"},
		{`{"account":"2088123456789012"}`, "BAD_REQUEST: account: is not a field of a query; did you mean account_no?"},
		{`{"meta":{"a":"` + strings.Repeat("x", 256) + `","b":"` + strings.Repeat("x", 256) + `","c":"` + strings.Repeat("x", 256) +
			`","` + strings.Repeat("d", 64) + `":"` + strings.Repeat("x", 190) + `"},` + ok + `}`, "BAD_REQUEST: meta: has 1025 bytes of names and values; at most 1024"},
		{`{"priority":"high",` + ok + `}`, "BAD_REQUEST: priority: is not a field of a query; leave it out, or put it into meta"},
		{`{"\u001b[2J":"high",` + ok + `}`, `BAD_REQUEST: "\x1b[2J": is not a field of a query; leave it out, or put it into meta`},
		{`{"id":"1","id":"2",` + ok + `}`, `BAD_REQUEST: id: the name "id" comes twice`},
		{`{"id":"1","i\u0064":"2",` + ok + `}`, `BAD_REQUEST: id: the name "id" comes twice`},
		{`{"meta":{"a":"1","a":"2"},` + ok + `}`, `BAD_REQUEST: meta: the name "a" comes twice`},
		{`{` + ok + `} x`, "BAD_REQUEST: more bytes follow the end of the message; send one message only"},
		{`{` + ok, "BAD_REQUEST: account_no: the message ends in the middle of a value"},
		{`{"id":` + strings.Repeat("[", 8), "BAD_REQUEST: id: more than 8 levels of maps and lists"},
		{`{"id":"\ud800x",` + ok + `}`, "BAD_REQUEST: id: is not JSON at byte 13: an escape is spelled wrong or is half of a surrogate pair"},
		{`{"id":"\ud83d\u0041",` + ok + `}`, "BAD_REQUEST: id: is not JSON at byte 19: an escape is spelled wrong or is half of a surrogate pair"},
		{`{"id":"\ud83d\ude42\u200b",` + ok + `}`, "BAD_REQUEST: id: has the character U+200B; use printable characters only"},
		{`{"meta":{` + numbered(65) + `},` + ok + `}`, "BAD_REQUEST: meta: a map has more than 64 names"},
		{"{\"id\":\"\xff\"}", "BAD_REQUEST: id: a text is not valid UTF-8"},
		{`{"v":01}`, "BAD_REQUEST: v: is not JSON at byte 7: a number is spelled wrong"},
		{`{v:1}`, "BAD_REQUEST: is not JSON at byte 1: a name in double quotes is expected"},
		{`{"v":1,}`, "BAD_REQUEST: is not JSON at byte 7: a name in double quotes is expected"},
		{`{"v" 1}`, "BAD_REQUEST: v: is not JSON at byte 5: a colon is expected"},
		{`{"v":1 "id":"x"}`, "BAD_REQUEST: v: is not JSON at byte 7: a comma or a closing bracket is expected"},
		{`{"v":one}`, "BAD_REQUEST: v: is not JSON at byte 5: a value is expected"},
		{"\x81\xa2id\xc4\x01x", "BAD_REQUEST: id: is binary; send text (in MessagePack a str)"},
		{"\x81\xa2id\xa2\xff\xfe", "BAD_REQUEST: id: a text is not valid UTF-8"},
		{"\x81\xa1\xff\x01", "BAD_REQUEST: a text is not valid UTF-8"},
		{"\x81\x01\x01", "BAD_REQUEST: a map has a name that is not text"},
		{"\x81\xa1v\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "BAD_REQUEST: v: is a float with a fraction, or from 2^53 on; send an integer"},
		{"\x81\xaamax_age_ms\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "BAD_REQUEST: max_age_ms: is an integer beyond 64 bits with sign; send an integer"},
		{"\x81\xabdeadline_ms\xd7\xff\x00\x00\x00\x00\x69\x22\x00\x00", "BAD_REQUEST: deadline_ms: an extension type or a reserved byte (0xd7); use text, integers, booleans and maps only"},
		{"\x81\xa1a\xdd\xff\xff\xff\xff", "BAD_REQUEST: a: the header of a list counts more values than there are bytes left"},
		{"\x81\xa1a\xde\x00\x05\xa1a\x00\xa1b\x00", "BAD_REQUEST: a: the header of a map counts more values than there are bytes left"},
		{"\x82\xa1v\x01\xa1v\x01", `BAD_REQUEST: v: the name "v" comes twice`},
		{"\x81\xa1v\x01\x00", "BAD_REQUEST: more bytes follow the end of the message; send one message only"},
	} {
		q, _, err := messages.DecodeQuery([]byte(c.data), "")
		if err == nil || err.Error() != c.want {
			t.Errorf("%.60q:\n got %v\nwant %s", c.data, err, c.want)
		}
		if q.V != 0 {
			t.Errorf("%.60q: a refused query is not zero: %+v", c.data, q)
		}
	}
	_, _, err := messages.DecodeQuery(make([]byte, 65537), "")
	if err == nil || err.Error() != "TOO_LARGE: the message is 65537 bytes long; at most 65536" {
		t.Errorf("64 KiB and one: %v", err)
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"` + string(rune('一'+i)) + `":""`)
	}
	return b.String()[1:]
}

func TestLogins(t *testing.T) {
	for _, s := range []string{
		"a@b.cn", "zhang.san+air@mail.example.com", "张三@example.com", "Zhang@EXAMPLE.com", "o'neil@b-c.example", "2088000000000001@bench.example", "a..b@b.cn",
		"13800138000", "+8613800138000", "+86-13800138000", "86-138-0013-8000", "12345", strings.Repeat("张", 88) + "@example.com",
	} {
		if err := (messages.Query{V: 1, UserEmail: s}).Check(); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	const (
		neither = "is neither an e-mail address nor a phone number; give one as the account's holder logs in with"
		after   = "is not an e-mail address after the @; give a domain such as example.com"
		before  = "is not an e-mail address before the @"
	)
	for s, want := range map[string]string{
		"alice": neither, "1234": neither, "+": neither, "-12345": neither, "12345-": neither, "123--45": neither, "++12345": neither,
		strings.Repeat("1", 21): neither,
		"１３８００１３８０００":           neither,
		"a@":                    after, "a@b": after, "a@.cn": after, "a@b.": after, "a@b..cn": after, "a@-b.cn": after, "a@b-.cn": after, "a@b_c.cn": after, "a@例子.cn": after,
		"@b.cn": before, "a,b@b.cn": before, "<a@b.cn": before, `"a"@b.cn`: before,
		"a@b@c.cn":                         "has more than one @; give one e-mail address",
		"a＠b.cn":                           "has a full-width ＠; write @",
		"a b@b.cn":                         "has a space inside; take it away",
		"a\u3000b@b.cn":                    "has a space inside; take it away",
		"a@b.cn\n":                         "has a space inside; take it away",
		"a\x00@b.cn":                       "has the character U+0000; use printable characters only",
		"a\u200b@b.cn":                     "has the character U+200B; use printable characters only",
		strings.Repeat("张", 95) + "@b.cn,": "is 101 characters long; at most 100",
	} {
		err := messages.Query{V: 1, UserEmail: s}.Check()
		if reason(err) != "user_email: "+want {
			t.Errorf("%q: %v, want %s", s, err, want)
		}
	}
	if q := query(t, `{"user_email":"  a@b.cn "}`); q.UserEmail != "a@b.cn" {
		t.Errorf("spaces around a login stayed: %q", q.UserEmail)
	}
}

func TestAbsentFieldsMayBeEmpty(t *testing.T) {
	q := query(t, `{"id":"","key":"","partner":"","user_email":"","account_no":"2088123456789012","biz_type":"","deadline_ms":0,"reply_to":"","meta":{}}`)
	if q.V != 1 || q.Meta != nil || q.MaxAgeMs != nil {
		t.Errorf("%+v", q)
	}
}

func TestResultRefusals(t *testing.T) {
	for data, want := range map[string]string{
		`{}`:                                    "BAD_REQUEST: outcome: is missing",
		`{"outcome":"yes"}`:                     `BAD_REQUEST: outcome: "yes" is unknown`,
		`{"v":3,"outcome":"signed"}`:            "BAD_REQUEST: v: is 3; this program speaks version 1",
		`{"outcome":"signed","source":"x"}`:     `BAD_REQUEST: source: "x" is unknown`,
		`{"outcome":"signed","verified":"x"}`:   `BAD_REQUEST: verified: "x" is unknown`,
		`{"outcome":"signed","charge_agent":1}`: "BAD_REQUEST: charge_agent: is an integer; send a boolean",
		`{"outcome":null}`:                      "BAD_REQUEST: outcome: is missing",
		`{"outcome":"signed","attempts":1e-3}`:  "BAD_REQUEST: attempts: is a float with a fraction, or from 2^53 on; send an integer",
		`{"outcome":"signed","newer":[{"a":1}]`: "BAD_REQUEST: newer: the message ends in the middle of a value",
	} {
		if _, _, err := messages.DecodeResult([]byte(data), ""); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", data, err, want)
		}
	}
	r, _, err := messages.DecodeResult([]byte(`{"outcome":"unknown","newer":[{"a":1}],"run":"r"}`), "")
	if err != nil || r.Run != "r" || r.V != 1 {
		t.Errorf("a field of a newer worker: %+v, %v", r, err)
	}
}

func TestOwnCodes(t *testing.T) {
	for _, code := range messages.Codes() {
		o, ok := messages.OutcomeOf(code)
		if messages.Message(code) == "" || !ok || o != messages.Refused && o != messages.Unknown {
			t.Errorf("%s: %q, outcome %q", code, messages.Message(code), o)
		}
		c, _ := messages.LookupCode(code)
		if want := o == messages.Unknown && code != messages.Forgotten; c.Retryable() != want {
			t.Errorf("%s: retryable %v", code, !want)
		}
	}
	if _, ok := messages.OutcomeOf("ILLEGAL_SIGN"); ok || messages.Message("ILLEGAL_SIGN") != "" {
		t.Error("a code of the gateway passes for one of ours")
	}
	for _, o := range messages.Outcomes() {
		if !o.Valid() {
			t.Errorf("%q is not valid", o)
		}
	}
	if messages.Outcome("").Valid() || messages.Accepted.Conclusive() || messages.Unknown.Conclusive() || !messages.NotSigned.Conclusive() {
		t.Error("outcomes are sorted wrong")
	}
}

func TestErrorIsFound(t *testing.T) {
	var e *messages.Error
	if err := (messages.Query{V: 1, AccountNo: "2088123456789012"}).Check(); err != nil {
		t.Errorf("a right query: %v", err)
	}
	err := messages.Query{V: 1, ID: "7"}.Check()
	if !errors.As(err, &e) || e.ID != "7" || e.Field != "user_email" {
		t.Errorf("%+v", e)
	}
	if r := e.Result(); r.Outcome != messages.Refused || r.ID != "7" || r.Code != messages.BadRequest || r.Retryable || r.Message != e.Message() {
		t.Errorf("%+v", r)
	}
}

// A later version is reported as such, whatever else is in the message.
func TestLaterVersion(t *testing.T) {
	for data, newer := range map[string]bool{
		`{"v":2,"user_email":"a@b.cn","priority":"high"}`: true, `{"priority":"high","v":2}`: true, "\x82\xa1v\x02\xa1x\x90": true,
		`{"v":1,"priority":"high"}`: false, `{"v":0,"user_email":"a@b.cn"}`: false, `{"v":"2"}`: false, `garbage`: false,
	} {
		_, _, err := messages.DecodeQuery([]byte(data), "")
		var e *messages.Error
		if !errors.As(err, &e) || e.Newer != newer || newer && e.Field != "v" {
			t.Errorf("%s: %v", data, err)
		}
	}
}
