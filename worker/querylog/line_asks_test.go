// Lines of many asks: each ask comes out unchanged, whatever stood before it.

package querylog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/querylog"
)

func encodeAsks(t testing.TB, asks []querylog.Ask) []querylog.Line {
	t.Helper()
	lines, err := querylog.EncodeAsks(asks)
	if err != nil {
		t.Fatalf("not written: %v", err)
	}
	return lines
}

func decodeAsks(t testing.TB, lines []querylog.Line) (asks []querylog.Ask) {
	t.Helper()
	for _, line := range lines {
		list, err := querylog.DecodeAsks(line.Data)
		if err != nil {
			t.Fatalf("not read: %v", err)
		}
		asks = append(asks, list...)
	}
	return asks
}

// assorted are asks that differ from their neighbours in every way: fields appear, stay, change and
// disappear.
func assorted(h *querylog.Hasher) []querylog.Ask {
	full, least := fullAsk(h, "a"), querylog.Ask{Token: "b", At: at}
	full.Subject, full.Reply, full.Trace = "protocol.query", "_INBOX", "0af7651916cd43dd8448eb211c80319c" // as a line shows them
	other := full
	other.Token, other.Email, other.Account, other.Key = "c", h.Email("else@example.com"), querylog.Masked{}, querylog.Masked{}
	later := other
	later.Token, later.At, later.AnsweredAt, later.Code, later.Run = "d", at.Add(time.Hour), time.Time{}, "", ""
	asks := []querylog.Ask{full, least, full, full, other, later, least, later, other, full, least}
	for i := range asks {
		asks[i].Token = fmt.Sprint(asks[i].Token, i)
	}
	return asks
}

func TestAsksGoThroughTogether(t *testing.T) {
	asks := assorted(hasher(t))
	for n := range asks {
		for from := range len(asks) - n {
			some := asks[from : from+n+1]
			lines := encodeAsks(t, some)
			if d := cmp.Diff(some, decodeAsks(t, lines), same); d != "" || len(lines) != 1 {
				t.Fatalf("%d from %d, %d lines: %s", n+1, from, len(lines), d)
			}
		}
	}
}

// Askers of one account cost little more than their own fields.
func TestAlikeAsksAreShort(t *testing.T) {
	asks := alike(hasher(t), querylog.MaxAsks)
	lines := encodeAsks(t, asks)
	single := len(encodeAsks(t, asks[:1])[0].Data)
	if each := len(lines[0].Data) / len(asks); len(lines) != 1 || each*4 > single {
		t.Errorf("%d bytes each in %d lines; alone it has %d", each, len(lines), single)
	}
}

// Earlier workers write every ask completely.
func TestWholeAsksAreRead(t *testing.T) {
	asks := assorted(hasher(t))
	old := []byte{0xdc, 0, byte(len(asks))}
	for i := range asks {
		old = append(old, encodeAsks(t, asks[i:i+1])[0].Data[3:]...)
	}
	if d := cmp.Diff(asks, decodeAsks(t, []querylog.Line{{Data: old}}), same); d != "" {
		t.Error(d)
	}
	for _, data := range []string{"", "\x91", "\x91\xdc\x00\x00", "\x91\xdc\x00\x01\xc0", "\x91\x91\xdc\x00\x01\x80", "\xdc\x00\x01\x82\xa3tok\xa1t\xa2at\xc0", "\x91\xdc\x00\x01\x81\xa3tok\xc0"} {
		if got, err := querylog.DecodeAsks([]byte(data)); err == nil {
			t.Errorf("%x: %+v", data, got)
		}
	}
}

func TestAsksAreManyInALine(t *testing.T) {
	h := hasher(t)
	var asks []querylog.Ask
	for i := range 1200 {
		a := fullAsk(h, fmt.Sprint("token-", i))
		a.Request = h.Request(strings.Repeat("i", 128))
		asks = append(asks, a)
	}
	asks = append(asks, querylog.Ask{At: at}) // no token: left out, and reported
	lines, err := querylog.EncodeAsks(asks)
	if err == nil || !strings.Contains(err.Error(), "identity") {
		t.Errorf("error %v", err)
	}
	n := 0
	for _, line := range lines {
		if len(line.Data) > querylog.MaxLine {
			t.Errorf("a line of %d bytes", len(line.Data))
		}
		got, err := querylog.DecodeAsks(line.Data)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(line.MsgID, got[0].Token+"~") || got[0].Token != asks[n].Token {
			t.Errorf("line %s begins with %s, want %s", line.MsgID, got[0].Token, asks[n].Token)
		}
		n += len(got)
	}
	if n != 1200 || len(lines) < 2 {
		t.Errorf("%d asks in %d lines", n, len(lines))
	}
}

// alike are n asks for one account by one door.
func alike(h *querylog.Hasher, n int) []querylog.Ask {
	var asks []querylog.Ask
	for i := range n {
		a := fullAsk(h, fmt.Sprintf("token-%016d", i))
		a.Subject, a.Reply, a.Trace, a.Request = "protocol.query", "_INBOX.ykwOP4jSrqVpMnPGSgSYC3.ykwOP4jS", "", h.Request(fmt.Sprint("booking-", i))
		asks = append(asks, a)
	}
	return asks
}

func BenchmarkEncodeAsks(b *testing.B) {
	asks := alike(hasher(b), querylog.MaxAsks)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := querylog.EncodeAsks(asks); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAsks(b *testing.B) {
	lines := encodeAsks(b, alike(hasher(b), querylog.MaxAsks))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := querylog.DecodeAsks(lines[0].Data); err != nil {
			b.Fatal(err)
		}
	}
}

// plainLine is a line that no worker writes: an address in its subjects, a number for a trace.
func plainLine(t testing.TB) []byte {
	t.Helper()
	as, is := strings.Repeat("x", 20), "signed@example.com.y"
	number := strings.Repeat("2088", 8)
	lines := encodeAsks(t, []querylog.Ask{{Token: "t", At: at, Subject: as, Reply: as, Trace: strings.Repeat("a", 32)}})
	data := strings.ReplaceAll(string(lines[0].Data), as, is)
	return []byte(strings.Replace(data, strings.Repeat("a", 32), number[:31]+"@", 1))
}

// What is read is hidden as what is written, so that no line brings an address into a database.
func TestWhatIsReadIsHidden(t *testing.T) {
	asks, err := querylog.DecodeAsks(plainLine(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []querylog.Ask{{Token: "t", At: at, Subject: "***.com.y", Reply: "***.com"}}
	if d := cmp.Diff(want, asks, same); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(asks, decodeAsks(t, encodeAsks(t, asks)), same); d != "" {
		t.Errorf("written and read again: %s", d)
	}
}
