package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"protocolq/cmd/protocolq/console/audit"
)

func TestRowsOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for run := range 2 {
		log, err := audit.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := log.Append(t.Context(), audit.Row{Who: "wang", What: fmt.Sprintf("run %d row %d", run, i), HowMany: i}); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A full disk has cut off the last line.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"who":"wang","wh`)
	_ = f.Close()
	log, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	rows, err := log.Recent(t.Context(), 4)
	if err != nil || len(rows) != 4 || rows[0].What != "run 1 row 2" || rows[3].What != "run 0 row 2" || rows[0].AtMs == 0 {
		t.Errorf("%+v, %v", rows, err)
	}
	// The row after the cut-off line is not lost with it.
	if err := log.Append(t.Context(), audit.Row{Who: "wang", What: "after the cut"}); err != nil {
		t.Fatal(err)
	}
	again, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if rows, err := again.Recent(t.Context(), 1); err != nil || len(rows) != 1 || rows[0].What != "after the cut" {
		t.Errorf("after a cut line: %+v, %v", rows, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	log := audit.Memory()
	for i := range 5000 {
		if err := log.Append(t.Context(), audit.Row{HowMany: i}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := log.Recent(t.Context(), 1<<30)
	if err != nil || len(rows) != 1000 || rows[0].HowMany != 4999 || rows[999].HowMany != 4000 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
