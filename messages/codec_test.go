// Messages come back unchanged, and a refusal reaches its asker.

package messages_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"protocolq/messages"
)

const (
	msgpackType = "application/msgpack"
	jsonType    = "application/json"
)

func fullQuery() messages.Query {
	q := typicalQuery()
	q.BizType, q.MaxAgeMs = messages.BizType, new(int64(0))
	q.Meta = map[string]string{"trace": "7", "舱位": "经济舱", "empty": ""}
	return q
}

func fullResult() messages.Result {
	r := typicalResult()
	r.Key, r.Code, r.Message = "k", "NO_SIGN_CUSTOMER", "not signed"
	r.Retryable, r.RetryAfterMs, r.Meta = true, 30000, map[string]string{"a": "b"}
	return r
}

func TestQueryComesBackAsItWas(t *testing.T) {
	full := fullQuery()
	keyed := typicalQuery()
	keyed.Key = "ticket 784-2216541122"
	for name, q := range map[string]messages.Query{
		"full":  full,
		"keyed": keyed,
		"least": {V: 1, AccountNo: "2088123456789012"},
		"phone": {V: 1, UserEmail: "+86-13800138000"},
		"name":  {V: 1, UserEmail: "张三@example.com"},
	} {
		for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
			t.Run(name+" "+string(e), func(t *testing.T) {
				data := must(q.Encode(e))(t)
				for _, contentType := range []string{"", string(e), string(e) + "; charset=utf-8"} {
					got, gotEncoding, err := messages.DecodeQuery(data, contentType)
					if err != nil || gotEncoding != e {
						t.Fatalf("decode as %q: encoding %q, %v", contentType, gotEncoding, err)
					}
					if diff := cmp.Diff(q, got); diff != "" {
						t.Errorf("decode as %q changed it (-sent +read):\n%s", contentType, diff)
					}
				}
			})
		}
	}
}

func TestResultComesBackAsItWas(t *testing.T) {
	refused := (&messages.Error{Code: messages.BadRequest, Field: "partner", Reason: "is wrong", ID: "7", Key: "k"}).Result()
	for name, r := range map[string]messages.Result{"full": fullResult(), "typical": typicalResult(), "refused": refused} {
		for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
			got, gotEncoding, err := messages.DecodeResult(must(r.Encode(e))(t), "")
			if err != nil || gotEncoding != e {
				t.Fatalf("%s in %s: encoding %q, %v", name, e, gotEncoding, err)
			}
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("%s in %s (-sent +read):\n%s", name, e, diff)
			}
		}
	}
}

func TestAbsentAndFalseDiffer(t *testing.T) {
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		told := must(messages.Result{Outcome: messages.NotSigned, ChargeAgent: new(false)}.Encode(e))(t)
		if s := string(told); !strings.Contains(s, "charge_agent") || strings.Contains(s, "refund_charge") {
			t.Errorf("%s: want charge_agent told and refund_charge not: %q", e, s)
		}
		zero := must(messages.Query{MaxAgeMs: new(int64(0))}.Encode(e))(t)
		if !strings.Contains(string(zero), "max_age_ms") {
			t.Errorf("%s: max_age_ms 0 was left out: %q", e, zero)
		}
	}
}

// Equal messages give equal bytes, and readable JSON is not escaped without need.
func TestEncodingIsSteady(t *testing.T) {
	q := typicalQuery()
	q.ID, q.Meta = "a<b>&张", map[string]string{}
	for i := range 16 {
		q.Meta[strings.Repeat("m", i+1)] = "x"
	}
	for _, e := range []messages.Encoding{messages.MsgPack, messages.JSON} {
		first := must(q.Encode(e))(t)
		if !strings.Contains(string(first), q.ID) {
			t.Errorf("%s: the id is escaped: %s", e, first)
		}
		for range 20 {
			if diff := cmp.Diff(first, must(q.Encode(e))(t)); diff != "" {
				t.Fatalf("%s: written twice, differs:\n%s", e, diff)
			}
		}
	}
}

// Every width in which MessagePack can spell an integer.
// What is written field by field is what the library makes of the type.
func TestMsgPackIsThatOfTheLibrary(t *testing.T) {
	type query messages.Query // without the methods
	type result messages.Result
	whole, r := fullQuery(), fullResult()
	for name, c := range map[string]struct {
		written []byte
		plain   any
	}{
		"query":        {must(whole.Encode(messages.MsgPack))(t), new(query(whole))},
		"typical":      {must(typicalQuery().Encode(messages.MsgPack))(t), new(query(typicalQuery()))},
		"least":        {must(messages.Query{MaxAgeMs: new(int64(0))}.Encode(messages.MsgPack))(t), &query{V: messages.Version, MaxAgeMs: new(int64(0))}},
		"result":       {must(r.Encode(messages.MsgPack))(t), new(result(r))},
		"least result": {must(messages.Result{}.Encode(messages.MsgPack))(t), &result{V: messages.Version}},
	} {
		var b bytes.Buffer
		enc := msgpack.NewEncoder(&b)
		enc.UseCompactInts(true)
		enc.SetSortMapKeys(true)
		if err := enc.Encode(c.plain); err != nil || !bytes.Equal(b.Bytes(), c.written) {
			t.Errorf("%s: %x, %v; the library writes %x", name, c.written, err, b.Bytes())
		}
	}
}

func TestIntegers(t *testing.T) {
	for spelled, want := range map[string]int64{
		"\x00": 0, "\x7f": 127, "\xff": -1, "\xe0": -32,
		"\xcc\xff": 255, "\xcd\xff\xff": 65535, "\xce\xff\xff\xff\xff": 4294967295, "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff": 1<<63 - 1,
		"\xd0\x80": -128, "\xd0\x7f": 127, "\xd1\xff\xfe": -2, "\xd1\x7f\xff": 32767, "\xd2\x80\x00\x00\x00": -1 << 31,
		"\xd3\xff\xff\xff\xff\xff\xff\xff\xff": -1, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00": -1 << 63,
	} {
		r, _, err := messages.DecodeResult([]byte("\x82\xa7outcome\xa6signed\xaeretry_after_ms"+spelled), "")
		if err != nil || r.RetryAfterMs != want {
			t.Errorf("%x: %d, %v; want %d", spelled, r.RetryAfterMs, err, want)
		}
	}
	for spelled, want := range map[string]int64{"0": 0, "-0": 0, "-1": -1, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63} {
		r, _, err := messages.DecodeResult([]byte(`{"outcome":"signed","retry_after_ms":`+spelled+`}`), "")
		if err != nil || r.RetryAfterMs != want {
			t.Errorf("%s: %d, %v; want %d", spelled, r.RetryAfterMs, err, want)
		}
	}
	for _, spelled := range []string{"9223372036854775808", "-9223372036854775809", "99999999999999999999", "1e-1", "1.5", "9007199254740992.0", "1e400", "-", "+1", "00", "1.", "1e", ".5", "0x10"} {
		if r, _, err := messages.DecodeResult([]byte(`{"outcome":"signed","retry_after_ms":`+spelled+`}`), ""); err == nil {
			t.Errorf("%s was taken as %d", spelled, r.RetryAfterMs)
		}
	}
}

func TestEncodeRefusesWhatNobodyReads(t *testing.T) {
	for name, f := range map[string]func() ([]byte, error){
		"not UTF-8": func() ([]byte, error) { return messages.Query{ID: "a\xff"}.Encode(messages.JSON) },
		"meta": func() ([]byte, error) {
			return messages.Result{Meta: map[string]string{"a": "\xff"}}.Encode(messages.MsgPack)
		},
		"too large": func() ([]byte, error) {
			return messages.Result{Message: strings.Repeat("x", 65536)}.Encode(messages.MsgPack)
		},
		"not encoding": func() ([]byte, error) { return messages.Query{}.Encode("text/xml") },
	} {
		if data, err := f(); err == nil || data != nil {
			t.Errorf("%s: %d bytes and %v, want an error", name, len(data), err)
		}
	}
}

func TestContentType(t *testing.T) {
	inJSON := []byte(` {"v":1,"id":"7","account_no":"2088123456789012"}`)
	inMsgPack := must(messages.Query{ID: "7", AccountNo: "2088123456789012"}.Encode(messages.MsgPack))(t)
	for _, c := range []struct {
		data        []byte
		contentType string
		want        messages.Encoding
		reason      string
	}{
		{inJSON, "", messages.JSON, ""},
		{inJSON, "Application/JSON ; charset=utf-8", messages.JSON, ""},
		{inMsgPack, "", messages.MsgPack, ""},
		{inMsgPack, "application/x-msgpack", messages.MsgPack, ""},
		{inMsgPack, "Application/MsgPack;v=1", messages.MsgPack, ""},
		{inJSON, "text/xml", messages.JSON, `Content-Type "text/xml" is unknown; send application/msgpack or application/json`},
		{inMsgPack, "text/xml", messages.MsgPack, `Content-Type "text/xml" is unknown; send application/msgpack or application/json`},
		{inJSON, msgpackType, messages.MsgPack, "is not a MessagePack map"},
		{inMsgPack, jsonType, messages.JSON, "is not a JSON object"},
		{nil, "", messages.JSON, "the message is empty; send a MessagePack map or a JSON object"},
		{nil, msgpackType, messages.MsgPack, "the message is empty; send a MessagePack map or a JSON object"},
		{[]byte("hello"), "", messages.JSON, "the message is neither a MessagePack map nor a JSON object"},
		{[]byte("\xd4\x72\x40\x91\xa2id\xa1x"), "", messages.JSON, "the message begins with a MessagePack extension; send a plain map (in msgpackr: useRecords false)"},
		{[]byte("\xd4\x72\x40\x91\xa2id\xa1x"), msgpackType, messages.MsgPack, "the message begins with a MessagePack extension; send a plain map (in msgpackr: useRecords false)"},
		{[]byte("\xd4{}"), jsonType, messages.JSON, "is not a JSON object"},
		{[]byte("\xef\xbb\xbf{}"), jsonType, messages.JSON, "the message begins with a byte order mark (BOM); send UTF-8 without one"},
		{[]byte("\xef\xbb\xbf{}"), "", messages.JSON, "the message begins with a byte order mark (BOM); send UTF-8 without one"},
		{[]byte("\xff\xfe{\x00}\x00"), "", messages.JSON, "the message begins with a byte order mark (BOM); send UTF-8 without one"},
	} {
		_, e, err := messages.DecodeQuery(c.data, c.contentType)
		if e != c.want || reason(err) != c.reason {
			t.Errorf("%.8q as %q: %s, %q; want %s, %q", c.data, c.contentType, e, reason(err), c.want, c.reason)
		}
	}
}

// A refusal must reach its asker, whatever else is wrong with the message.
func TestRefusalKnowsItsAsker(t *testing.T) {
	head := `{"id":"order-17","reply_to":"_INBOX.x","partner":"2088001122334455","key":"k1",`
	for name, rest := range map[string]string{
		"field":          `"user_email":"a b"}`,
		"kind":           `"user_email":7}`,
		"unknown name":   `"user_emial":"a@b.cn"}`,
		"broken":         `"user_email":`,
		"trailing bytes": `"user_email":"a@b.cn"}}`,
		"duplicate":      `"id":"order-18"}`,
		"too large":      `"meta":{"a":"` + strings.Repeat("x", 65536) + `"}}`,
	} {
		q, _, err := messages.DecodeQuery([]byte(head+rest), "")
		if name == "trailing bytes" && (q.UserEmail != "a@b.cn" || q.ID != "order-17" || q.V != 0) {
			t.Errorf("%s: read %+v", name, q)
		}
		var e *messages.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, want an *Error", name, err)
			continue
		}
		if e.ID != "order-17" || e.ReplyTo != "_INBOX.x" || e.Partner != "2088001122334455" || e.Key != "k1" {
			t.Errorf("%s: id %q, reply_to %q, partner %q, key %q", name, e.ID, e.ReplyTo, e.Partner, e.Key)
		}
	}
	_, _, err := messages.DecodeQuery([]byte(`{"id":"a\u0000","reply_to":"a.>","partner":"1","key":" k"}`), "")
	var e *messages.Error
	if !errors.As(err, &e) || e.ID+e.ReplyTo+e.Partner+e.Key != "" {
		t.Errorf("a refusal carries what is not right by itself: %+v", e)
	}
}

// A small query must not keep its large message in memory.
func TestSmallQueryInLargeMessage(t *testing.T) {
	padded := `{"account_no":"2088123456789012"` + strings.Repeat(" ", 60000) + "}"
	keep := make([]messages.Query, 200)
	grown := allocated(func() {
		for i := range keep {
			keep[i] = query(t, padded)
		}
	})
	if grown.live > 1<<20 {
		t.Errorf("200 small queries keep %d bytes alive", grown.live)
	}
	runtime.KeepAlive(keep)
}

func query(t testing.TB, text string) messages.Query {
	t.Helper()
	q, _, err := messages.DecodeQuery([]byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func reason(err error) string {
	var e *messages.Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return ""
}

func TestEncodingAsAByte(t *testing.T) {
	for e, want := range map[messages.Encoding]uint8{messages.MsgPack: 1, messages.JSON: 2, "": 0, "text/plain": 0} {
		if got := e.Byte(); got != want {
			t.Errorf("%q is %d, want %d", e, got, want)
		}
	}
	for b, want := range map[uint8]messages.Encoding{0: messages.MsgPack, 1: messages.MsgPack, 2: messages.JSON, 3: messages.MsgPack} {
		if got := messages.EncodingOf(b); got != want {
			t.Errorf("%d is %q, want %q", b, got, want)
		}
	}
}

// Languages whose numbers are all floats, and languages that write every field, are understood.
func TestFloatsAndNulls(t *testing.T) {
	want := messages.Query{V: 1, AccountNo: "2088123456789012", DeadlineMs: 1795424400000, Meta: map[string]string{"a": "b"}}
	for name, data := range map[string]string{
		"JSON": `{"v":1.0,"id":null,"key":null,"partner":null,"user_email":null,"account_no":"2088123456789012","biz_type":null,
			"max_age_ms":null,"deadline_ms":1.7954244e12,"reply_to":null,"meta":{"a":"b","c":null}}`,
		"MessagePack": "\x84\xa1v\xca\x3f\x80\x00\x00\xaaaccount_no\xb02088123456789012" +
			"\xabdeadline_ms\xcb\x42\x7a\x20\x7a\x23\x28\x00\x00\xa4meta\x82\xa1a\xa1b\xa1c\xc0",
		"no version, no meta": `{"v":null,"account_no":"2088123456789012","deadline_ms":1795424400000.000,"meta":null}`,
	} {
		got, _, err := messages.DecodeQuery([]byte(data), "")
		if name == "no version, no meta" {
			got.Meta = want.Meta
		}
		if err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: %v (-want +read)\n%s", name, err, cmp.Diff(want, got))
		}
	}
	for spelled, want := range map[string]int64{"1e3": 1000, "-0.0": 0, "9007199254740991.0": 1<<53 - 1, "-12.50e1": -125} {
		r, _, err := messages.DecodeResult([]byte(`{"outcome":"signed","code":null,"retry_after_ms":`+spelled+`}`), "")
		if err != nil || r.RetryAfterMs != want {
			t.Errorf("%s: %d, %v; want %d", spelled, r.RetryAfterMs, err, want)
		}
	}
	for _, spelled := range []string{"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "\xca\xff\x80\x00\x00"} {
		if r, _, err := messages.DecodeResult([]byte("\x82\xa7outcome\xa6signed\xaeretry_after_ms"+spelled), ""); err == nil {
			t.Errorf("%x: what is no number was taken as %d", spelled, r.RetryAfterMs)
		}
	}
}
