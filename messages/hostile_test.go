// Hostile bytes: reading them must stay cheap.

package messages_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"protocolq/messages"
)

// The cost limit for reading any message of at most 64 KiB.
const (
	mostBytes = 1 << 20
	mostTime  = 10 * time.Millisecond
)

type cost struct{ total, live uint64 }

// allocated returns how many bytes f allocated, and how many of them are still in use when it is
// over.
func allocated(f func()) cost {
	var before, after, swept runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	runtime.GC()
	runtime.ReadMemStats(&swept)
	c := cost{total: after.TotalAlloc - before.TotalAlloc}
	if swept.HeapAlloc > before.HeapAlloc {
		c.live = swept.HeapAlloc - before.HeapAlloc
	}
	return c
}

// fill repeats part up to 64 KiB, between head and tail.
func fill(head, part, tail string) string {
	n := (messages.MaxMessage - len(head) - len(tail)) / len(part)
	return head + strings.Repeat(part, n) + tail
}

// manyMaps is 64 KiB of maps with as many names in each as a map may have: the most expensive
// search for duplicates.
func manyMaps(open, shut, sep string, name func(int) string) string {
	one := open
	for i := range 64 {
		if i > 0 {
			one += sep
		}
		one += name(i)
	}
	return one + shut
}

func hostile() map[string]string {
	dear := manyMaps("{", "},", ",", func(i int) string { return fmt.Sprintf(`"%c":0`, '0'+i+i/44) }) // skips the backslash
	dearPacked := manyMaps("\xde\x00\x40", "", "", func(i int) string { return fmt.Sprintf("\xa1%c\x00", '0'+i) })
	var distinct strings.Builder // 65,000 bytes of names, none twice
	for i := range 6500 {
		fmt.Fprintf(&distinct, `,"%05x":0`, i)
	}
	long := strings.Repeat("n", 900)
	return map[string]string{
		"array32 that counts 4 G":      "\x81\xa1a\xdd\xff\xff\xff\xff",
		"map32 that counts 4 G":        "\x81\xa1a\xdf\xff\xff\xff\xff",
		"map32 as the message":         "\xdf\xff\xff\xff\xff",
		"str32 that counts 4 G":        "\x81\xa1a\xdb\xff\xff\xff\xff",
		"bin32 that counts 4 G":        "\x81\xa1a\xc6\xff\xff\xff\xff",
		"name of 4 G":                  "\x81\xdb\xff\xff\xff\xff",
		"ext32 that counts 4 G":        "\x81\xa1a\xc9\xff\xff\xff\xff\x01",
		"nested lists of one":          fill("\x81\xa1a", "\x91", ""),
		"nested maps of one":           fill("", "\x81\xa1a", ""),
		"nested array16 headers":       fill("\x81\xa1a", "\xdc\xff\xff", ""),
		"flat list of nils":            fill("\x81\xa1a\xdc\xff\xf0", "\xc0", ""),
		"list of empty maps":           fill("\x81\xa1a\xdc\xff\xf0", "\x80", ""),
		"as many names as bytes":       fill("\xde\x55\x00", "\xa1a\x00", ""),
		"many maps of 64 names":        fill("\x81\xa1a\xdc\x01\x50", dearPacked, ""),
		"one long text":                fill("\x81\xa4meta\xda\xff\x00", "x", ""),
		"JSON nested lists":            fill(`{"a":`, "[", ""),
		"JSON nested maps":             fill("", `{"a":`, ""),
		"JSON flat list":               fill(`{"a":[`, "0,", "0]}"),
		"JSON many maps of 64 names":   fill(`{"a":[`, dear, "0]}"),
		"JSON as many names as bytes":  `{"a":{` + distinct.String()[1:] + "}}",
		"JSON long names":              fill(`{"a":{`, `"`+long+`":0,`, `"z":0}}`),
		"JSON escapes":                 fill(`{"meta":{"a":"`, `\u5f20`, `"}}`),
		"JSON short escaped texts":     fill(`{"a":[`, `"\n",`, "0]}"),
		"JSON escaped names":           fill(`{"a":[`, `{"\n":0},`, "0]}"),
		"JSON spaces":                  fill(`{"a":`, " ", "0}"),
		"JSON long number":             fill(`{"v":`, "9", "}"),
		"JSON long unknown name":       fill(`{"`, "user_email", `":0}`),
		"JSON unclosed text":           fill(`{"id":"`, "x", ""),
		"JSON unclosed escapes":        fill(`{"id":"`, `\\`, ""),
		"64 KiB and one":               fill("{", " ", "") + "}" + strings.Repeat(" ", 9),
		"1 MiB of nested lists":        "\x81\xa1a" + strings.Repeat("\x91", 1<<20),
		"login of spaces":              fill(`{"user_email":"`, " ", `"}`),
		"subject of dots":              fill(`{"reply_to":"`, ".", `"}`),
		"id of three-byte characters":  fill(`{"id":"`, "张", `"}`),
		"key of control characters":    fill(`{"key":"`, "\x7f", `"}`),
		"partner of digits":            fill(`{"partner":"`, "2", `"}`),
		"account of digits":            fill(`{"account_no":"`, "2", `"}`),
		"meta with names by the dozen": `{"meta":` + strings.TrimSuffix(dear, ",") + "}",
	}
}

func TestHostileBytesAreCheap(t *testing.T) {
	for name, data := range hostile() {
		for kind, decode := range decoders() {
			b := []byte(data)
			var err error
			took := time.Hour
			spent := allocated(func() {
				for range 5 { // the least of five: the machine may be busy
					start := time.Now()
					err = decode(b)
					took = min(took, time.Since(start))
				}
			})
			if spent.total/5 > mostBytes || took > slower*mostTime {
				t.Errorf("%s, %s: %d bytes, %v", kind, name, spent.total/5, took)
			}
			if err == nil {
				t.Errorf("%s, %s: was taken", kind, name)
			}
			if msg := reason(err); len(msg) > 400 || strings.ContainsFunc(msg, func(r rune) bool { return r < ' ' }) {
				t.Errorf("%s, %s: says %q", kind, name, msg)
			}
			if !bytes.Equal(b, []byte(data)) {
				t.Errorf("%s, %s: the input was changed", kind, name)
			}
		}
	}
}

func decoders() map[string]func([]byte) error {
	return map[string]func([]byte) error{
		"query":  func(b []byte) error { _, _, err := messages.DecodeQuery(b, ""); return err },
		"result": func(b []byte) error { _, _, err := messages.DecodeResult(b, ""); return err },
	}
}
