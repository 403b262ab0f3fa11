// No cell of a CSV file is a formula, and numbers are grouped for reading.

package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestCSVComputesNothing(t *testing.T) {
	var out bytes.Buffer
	p, err := NewCSV(&out, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+49": "'+49", "-1": "'-1", "@x": "'@x", " =1": "' =1", "\t=1": `\t=1`, "\r\n=1": `\r\n=1`, "＝1": "'＝1", "　@x": "'　@x",
		"booking-1": "booking-1", "a,b": `"a,b"`, `a"b`: `"a""b"`, "12": "12", "\x1b[31m": `\x1b[31m`, "张三": "张三",
	} {
		out.Reset()
		if err := p.Row([]string{cell}); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimPrefix(strings.TrimSuffix(out.String(), "\n"), "a\n"); got != want {
			t.Errorf("%q is written as %s, want %s", cell, got, want)
		}
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Grouped(n); got != want {
			t.Errorf("%d is written as %s, want %s", n, got, want)
		}
	}
}
