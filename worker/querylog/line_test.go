// Lines: what goes in comes out, personal data does not, and nothing hostile gets past the reader.

package querylog_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"protocolq/worker/querylog"
)

// same compares lines, and masked fields in all three of their parts.
var same = cmp.Options{
	cmp.Comparer(func(a, b querylog.Masked) bool { return a == b }),
	cmp.Comparer(func(a, b querylog.RequestID) bool { return a == b }),
}

func hasher(t testing.TB) *querylog.Hasher {
	t.Helper()
	h, err := querylog.NewHasher([]byte(strings.Repeat("0f", 32)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var at = time.Date(2026, 11, 23, 10, 0, 0, 5e6, time.UTC)

const (
	rawEmail   = "Canary.Person@secret-canary.example.com"
	rawAccount = "20881234567812345678"
)

func fullRun(h *querylog.Hasher) querylog.Run {
	yes, no := true, false
	return querylog.Run{ID: "RUN1", At: at, AnsweredAt: at.Add(time.Second), Key: h.Key("0123456789abcdefghijklmnop"), Partner: "2088000000000001",
		Email: h.Email(rawEmail), Account: h.Account(rawAccount), Outcome: "signed", Code: "X", Class: "TEMP", Debit: &yes, Refund: &no,
		Verified: "verified", Worker: "W1", Deaths: 2, Attempts: []querylog.Attempt{
			{At: at, Cut: true},
			{At: at.Add(time.Second), DNS: 12 * time.Microsecond, Connect: time.Millisecond, TLS: 2 * time.Millisecond, FirstByte: time.Second,
				Body: 3 * time.Microsecond, Total: 2 * time.Second, Code: "SYSTEM_ERROR", Class: "TEMP", HTTPStatus: 200, Bytes: 300, Reused: true},
		}}
}

func fullAsk(h *querylog.Hasher, token string) querylog.Ask {
	return querylog.Ask{Token: token, At: at, AnsweredAt: at.Add(1500 * time.Millisecond), Request: h.Request("booking-1"), Run: "RUN1",
		Key: h.Key("0123456789abcdefghijklmnop"), Partner: "2088000000000001", Email: h.Email(rawEmail), Account: h.Account(rawAccount),
		Source: "joined", Door: "submit", Subject: "protocol.submit.2088000000000001.bookings", Reply: "protocol.reply.bookings.7",
		Outcome: "signed", Code: "X", Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Field: "user_email"}
}

func TestRunGoesThrough(t *testing.T) {
	for name, r := range map[string]querylog.Run{"full": fullRun(hasher(t)), "least": {ID: "r", At: at}} {
		line, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if line.MsgID != r.ID {
			t.Errorf("%s: message id %q", name, line.MsgID)
		}
		got, err := querylog.DecodeRun(line.Data)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got, same); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestAskGoesThrough(t *testing.T) {
	h := hasher(t)
	a := fullAsk(h, "TOKEN1")
	line, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := querylog.DecodeAsks(line.Data)
	if err != nil {
		t.Fatal(err)
	}
	a.Reply, a.Trace = "protocol.reply", "0af7651916cd43dd8448eb211c80319c"
	if d := cmp.Diff([]querylog.Ask{a}, got, same); d != "" {
		t.Error(d)
	}
}

// Another reader reads the same bytes: they are plain MessagePack.
func TestLineIsMsgPack(t *testing.T) {
	line, err := fullRun(hasher(t)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := msgpack.Unmarshal(line.Data, &m); err != nil {
		t.Fatal(err)
	}
	calls, ok := m["calls"].([]any)
	if m["run"] != "RUN1" || m["debit"] != true || m["refund"] != false || !ok || len(calls) != 2 {
		t.Errorf("%v", m)
	}
	if second := calls[1].(map[string]any); reflect.ValueOf(second["first"]).Int() != 1e6 || second["code"] != "SYSTEM_ERROR" {
		t.Errorf("%v", second)
	}
}

func TestRunsAreManyInALine(t *testing.T) {
	h := hasher(t)
	var runs []querylog.Line
	for i := range 1200 {
		r := fullRun(h)
		r.ID = fmt.Sprint("run-", i)
		line, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, line)
	}
	n := 0
	lines := querylog.JoinRuns(runs)
	for _, line := range lines {
		if len(line.Data) > querylog.MaxLine {
			t.Errorf("a line of %d bytes", len(line.Data))
		}
		got, err := querylog.DecodeRuns(line.Data)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range got {
			if want := fmt.Sprint("run-", n+i); r.ID != want || r.Outcome == "" {
				t.Fatalf("run %s, want %s", r.ID, want)
			}
		}
		n += len(got)
	}
	if n != 1200 || len(lines) < 3 {
		t.Errorf("%d runs in %d lines", n, len(lines))
	}
	if one := querylog.JoinRuns(runs[:1]); len(one) != 1 || one[0].MsgID != "run-0" || !bytes.Equal(one[0].Data, runs[0].Data) {
		t.Errorf("a run alone became %q", one)
	}
	if got := querylog.JoinRuns(nil); got != nil {
		t.Errorf("no run became %q", got)
	}
	if _, err := querylog.DecodeRuns([]byte{0xdc, 0, 0}); err == nil {
		t.Error("a list of none was read")
	}
}

// A text belongs to its own row, however many words a line has.
func TestManyWords(t *testing.T) {
	var lines []querylog.Line
	for i := range 200 {
		line, err := querylog.Run{ID: fmt.Sprint("run-", i), At: at, Outcome: fmt.Sprint("outcome-", i%150), Code: fmt.Sprint("code-", i%3)}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	runs, err := querylog.DecodeRuns(querylog.JoinRuns(lines)[0].Data)
	if err != nil || len(runs) != len(lines) {
		t.Fatal(len(runs), err)
	}
	for i, r := range runs {
		if r.ID != fmt.Sprint("run-", i) || r.Outcome != fmt.Sprint("outcome-", i%150) || r.Code != fmt.Sprint("code-", i%3) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// The server drops a line with a known message id: two batches that begin alike must have different
// ones.
func TestBatchesThatBeginAlikeAreNotTheSame(t *testing.T) {
	h := hasher(t)
	ids := map[string]bool{}
	for _, tokens := range [][]string{{"A"}, {"A", "B"}, {"A", "C"}, {"A", "B", "C"}} {
		var asks []querylog.Ask
		for _, token := range tokens {
			asks = append(asks, fullAsk(h, token))
		}
		for range 2 { // the same batch keeps its id
			lines, err := querylog.EncodeAsks(asks)
			if err != nil || len(lines) != 1 {
				t.Fatal(lines, err)
			}
			ids[lines[0].MsgID] = true
		}
	}
	if len(ids) != 4 {
		t.Errorf("4 batches have the identities %v", ids)
	}
}

// Nothing personal leaves, neither in its own field nor in a field that an asker fills freely.
func TestLinesHoldNothingPersonal(t *testing.T) {
	h := hasher(t)
	a := fullAsk(h, "TOKEN")
	a.Request = h.Request("for " + rawEmail)
	a.Subject = "protocol.submit.2088000000000001.canary@secret-canary"
	a.Reply = "_INBOX." + rawAccount
	ask, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b := fullAsk(h, "TOKEN2")
	b.Request, b.Subject = h.Request(rawAccount), "protocol.submit.2088000000000001."+rawAccount
	other, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	run, err := fullRun(h).Encode()
	if err != nil {
		t.Fatal(err)
	}
	all := bytes.ToLower(bytes.Join([][]byte{ask.Data, other.Data, run.Data}, nil))
	for _, secret := range []string{"canary", "secret-canary", rawAccount, rawAccount[4:16], "0123456789abcdefghijklmnop", strings.Repeat("\x0f", 32)} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("a line holds %q", secret)
		}
	}
	got, err := querylog.DecodeAsks(ask.Data)
	if err != nil {
		t.Fatal(err)
	}
	if s := got[0].Subject; s != "protocol.submit.2088000000000001.***" {
		t.Errorf("subject %q", s)
	}
	if !strings.HasPrefix(got[0].Request.String(), "f***@s***.com~") {
		t.Errorf("request id %q", got[0].Request)
	}
}

func TestEncodeCleansWhatNoDatabaseTakes(t *testing.T) {
	r := querylog.Run{ID: "r", At: at, Code: "a\x00b\xff" + strings.Repeat("é", 100)}
	line, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := querylog.DecodeRun(line.Data)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got.Code, "a\uFFFDb\uFFFDé") || len(got.Code) > 64 {
		t.Errorf("code %q", got.Code)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, r := range map[string]querylog.Run{
		"no id":       {At: at},
		"NUL in id":   {ID: "a\x00", At: at},
		"no time":     {ID: "r"},
		"far future":  {ID: "r", At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"long id":     {ID: strings.Repeat("x", 129), At: at},
		"many calls":  {ID: "r", At: at, Attempts: make([]querylog.Attempt, 129)},
		"broken UTF8": {ID: "\xff", At: at},
	} {
		if _, err := r.Encode(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good, err := fullRun(hasher(t)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range good.Data {
		if _, err := querylog.DecodeRun(good.Data[:i]); err == nil {
			t.Errorf("cut at byte %d: no error", i)
		}
	}
	for name, data := range map[string]string{
		"trailing byte":   string(good.Data) + "\xc0",
		"a list":          "\x90",
		"map32 bomb":      "\xdf\xff\xff\xff\xff",
		"list32 in a map": "\x81\xa1x\xdd\xff\xff\xff\xff",
		"nested lists":    "\x81\xa1x" + strings.Repeat("\x91", 60000),
		"twice":           "\x82\xa3run\xa1a\xa3run\xa1b",
		"id of a number":  "\x81\xa3run\x01",
		"time as text":    "\x82\xa3run\xa1a\xa2at\xa1b",
		"too long":        strings.Repeat("\xc0", querylog.MaxLine+1),
		"extension":       "\x81\xa1x\xd4\x00\x00",
		"name not text":   "\x81\x01\x01",
		"negative deaths": "\x83\xa3run\xa1a\xa2at\xd3\x00\x00\x01\x9b\x00\x00\x00\x00\xa6deaths\xff",
	} {
		if r, err := querylog.DecodeRun([]byte(data)); err == nil {
			t.Errorf("%s: read as %+v", name, r)
		}
	}
	for name, data := range map[string]string{"none": "\x90", "a map": "\x80", "more than are there": "\xdc\x01\xf4\x80", "empty": ""} {
		if _, err := querylog.DecodeAsks([]byte(data)); err == nil {
			t.Errorf("asks, %s: no error", name)
		}
	}
}

// A newer worker sends names that an older recorder does not know.
func TestDecodePassesOverWhatIsNew(t *testing.T) {
	line, err := querylog.Run{ID: "r", At: at, Code: "C"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	data := append([]byte(nil), line.Data...)
	data[2]++ // one entry more: a map of a list of every kind
	data = append(data, "\xa3new\x82\xa1a\x93\x01\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xc4\x01x\xa1b\xdc\x00\x01\xc0"...)
	got, err := querylog.DecodeRun(data)
	if err != nil || got.Code != "C" {
		t.Errorf("%+v, %v", got, err)
	}
	known := int(line.Data[2])
	for names, want := range map[int]bool{64: true, 65: false} { // and not without bound
		data := append([]byte(nil), line.Data...)
		data[2] = byte(names)
		for i := range names - known {
			data = append(data, fmt.Sprintf("\xa4n%03d\xc0", i)...)
		}
		if _, err := querylog.DecodeRun(data); (err == nil) != want {
			t.Errorf("%d names: %v", names, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	h := hasher(f)
	run, err := fullRun(h).Encode()
	if err != nil {
		f.Fatal(err)
	}
	ask, err := fullAsk(h, "T").Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(run.Data)
	f.Add(ask.Data)
	for _, line := range encodeAsks(f, assorted(h)) {
		f.Add(line.Data)
	}
	f.Add([]byte("\x81\xa1x\xdd\xff\xff\xff\xff"))
	f.Add(plainLine(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := querylog.DecodeRun(data); err == nil {
			again, err := r.Encode()
			if err != nil {
				t.Fatalf("read and not written: %v", err)
			}
			if second, err := querylog.DecodeRun(again.Data); err != nil || !cmp.Equal(r, second, same) {
				t.Fatalf("%v\n%s", err, cmp.Diff(r, second, same))
			}
		}
		if asks, err := querylog.DecodeAsks(data); err == nil {
			if d := cmp.Diff(asks, decodeAsks(t, encodeAsks(t, asks)), same); d != "" {
				t.Fatalf("written and read again: %s", d)
			}
		}
	})
}

func TestReplyPrefix(t *testing.T) {
	for subject, want := range map[string]string{"": "", "_INBOX.abc.1": "_INBOX", "_INBOX": "_INBOX", "protocol.reply.orders.7": "protocol.reply", "protocol.reply": "protocol.reply",
		"protocol": "protocol", "a.": "a.", "a.b.": "a.b", ".": ".", "a@b.c.d": "***.c"} {
		if got := querylog.ReplyPrefix(subject); got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
	}
}
