// Whatever bytes lie in the log, a reader neither dies of them nor takes what was changed for what
// was written.

package journal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/worker/journal"
)

// seeds are the golden batches.
func seeds(f *testing.F) [][]byte {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.hex"))
	if err != nil || len(paths) < 8 {
		f.Fatalf("%d golden batches, %v: nothing to begin with", len(paths), err)
	}
	var all [][]byte
	for _, path := range paths {
		dump, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		var data []byte
		for line := range bytes.Lines(dump) {
			line, _, _ = bytes.Cut(line[8:], []byte("|"))
			b, err := hex.DecodeString(string(bytes.Join(bytes.Fields(line), nil)))
			if err != nil {
				f.Fatal(err)
			}
			data = append(data, b...)
		}
		all = append(all, data)
	}
	return all
}

// FuzzDecode: a batch with any body and a right sum is read as it is or not understood; what is
// read is written and read again without a change.
func FuzzDecode(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data[0], data[5:])
	}
	f.Fuzz(func(t *testing.T, format byte, rest []byte) {
		data := raw(format, nil)[:5]
		data = append(data, rest...)
		first, err := journal.Decode(message(resum(data)))
		if err != nil {
			if first != nil || !errors.Is(err, journal.ErrNewer) {
				t.Fatalf("%v, %v", first, err)
			}
			return
		}
		again, err := journal.Encode(first.Number, first.Read, first.Entries...)
		if err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		second, err := journal.Decode(message(again))
		if err != nil {
			t.Fatal(err)
		}
		second.Layout = first.Layout
		if d := cmp.Diff(first, second); d != "" {
			t.Fatal(d)
		}
	})
}

// FuzzCorrupt: no batch with a changed byte is read.
func FuzzCorrupt(f *testing.F) {
	for i, data := range seeds(f) {
		f.Add(data, uint(i*7), byte(1<<(i%8)))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint, change byte) {
		if _, err := journal.Decode(message(data)); err != nil {
			if b, _ := journal.Decode(message(data)); b != nil && b.Entries != nil {
				t.Fatal("entries beside an error")
			}
			return
		}
		if change == 0 {
			return
		}
		changed := bytes.Clone(data)
		changed[at%uint(len(changed))] ^= change
		if _, err := journal.Decode(message(changed)); !errors.Is(err, journal.ErrCorrupt) {
			t.Fatalf("byte %d changed by %x: %v", at%uint(len(changed)), change, err)
		}
	})
}
