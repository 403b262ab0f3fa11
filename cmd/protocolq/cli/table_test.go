// Tables fit a terminal, and never cut what a person types again.

package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTableFits(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(&out, "SEQ", "WHY", "RUN").Whole("RUN")
	table.Row(17, "the reply subject is not allowed, and nobody else waits for it", "3Vm6Z1W5ylmWn8ZhGVE4vM")
	table.Row(18, "短", "r")
	table.fit(50)
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > 50 {
			t.Errorf("%d wide: %s", n, line)
		}
	}
	if want := "17   the reply subject is…  3Vm6Z1W5ylmWn8ZhGVE4vM"; lines[1] != want {
		t.Errorf("%q, want %q", lines[1], want)
	}
}

func TestTableElsewhere(t *testing.T) {
	var out bytes.Buffer
	table := NewTable(&out, "A", "B", "C")
	table.Row("x\x1b[31m", "", strings.Repeat("long ", 50))
	table.Row("y", "no answer: this goes on")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "A          B  C\n" + `x\x1b[31m     ` + strings.Repeat("long ", 50) + "\ny          no answer: this goes on\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// Columns that cannot be cut are printed whole, even if the terminal is too narrow.
func TestTableThatCannotFit(t *testing.T) {
	table := NewTable(nil, "ID", "RUN", "CODE").Whole("ID", "RUN")
	table.Row("booking-1", "3Vm6Z1W5ylmWn8ZhGVE4vM", "SYSTEM_ERROR")
	table.fit(20)
	if row := table.rows[1]; row[0] != "booking-1" || row[1] != "3Vm6Z1W5ylmWn8ZhGVE4vM" || row[2] != "SYSTEM_ERROR" {
		t.Errorf("%q", row)
	}
}
