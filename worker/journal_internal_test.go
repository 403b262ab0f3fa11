// Journals: what a worker from before wrote is read, and no length in one is believed.

package worker

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"protocolq/worker/dedupe"
)

var someCalls = []Attempt{
	{AtUs: 1795426971982123, DNS: 1, Connect: 300, TLS: 70000, FirstByte: 5, Body: 6, Total: 7, Code: "SYSTEM_ERROR", Class: "TEMP", HTTPStatus: 200, Bytes: 123456, Reused: true},
	{AtUs: 5, Cut: true},
}

// fromBefore is someCalls as workers wrote them by the msgpack library, until they had a writer of their own.
const fromBefore = "928ca26174d3000660ee6ae2992ba3646e73d30000000000000001a7636f6e6e656374d3000000000000012ca3746c73d30000000000011170a56669727374d30000000000000005a4626f6479d30000000000000006a5746f74616cd30000000000000007a4636f6465ac53595354454d5f4552524f52a5636c617373a454454d50a468747470ccc8a56279746573ce0001e240a6726575736564c382a26174d30000000000000005a3637574c3"

func TestJournal(t *testing.T) {
	old, err := hex.DecodeString(fromBefore)
	if err != nil {
		t.Fatal(err)
	}
	for name, journal := range map[string][]byte{"of today": journalOf(someCalls), "from before": old} {
		got, err := attemptsOf(&dedupe.Record{Journal: journal})
		if err != nil || !slices.Equal(got, someCalls) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, none := range []string{"", "\xc0", "\x90"} {
		if got, err := attemptsOf(&dedupe.Record{Journal: []byte(none)}); err != nil || len(got) != 0 {
			t.Errorf("%q: %+v, %v", none, got, err)
		}
	}
	newer := append(journalOf(someCalls[:1]), "\x81\xa5shape\x92\x01\x02"...)
	newer[2] = 2
	if got, err := attemptsOf(&dedupe.Record{Journal: newer}); err != nil || len(got) != 2 {
		t.Errorf("a field of a newer worker: %+v, %v", got, err)
	}
}

// A damaged record must not take the workers with it that read it one after the other.
func TestDamagedJournal(t *testing.T) {
	for journal, want := range map[string]string{
		"\xdd\xff\xff\xff\xff":             "read attempts: ends in the middle of a value",
		"\x91\xdf\xff\xff\xff\xff":         "read attempts: ends in the middle of a value",
		"\x91\x81\xa4code\xdb\xff\xff\xff": `read attempts: "code" ends in the middle of a value`,
		"\x91\x81\xa2at\xa1x":              `read attempts: "at" is of another kind`,
		"x":                                "read attempts: is of another kind",
	} {
		if got, err := attemptsOf(&dedupe.Record{Journal: []byte(journal)}); err == nil || err.Error() != want || len(got) != 0 {
			t.Errorf("%x: %+v, %v, want %s", journal, got, err, want)
		}
	}
	cut := journalOf(someCalls)
	if got, err := attemptsOf(&dedupe.Record{Journal: cut[:len(cut)-1]}); err == nil || !slices.Equal(got, someCalls[:1]) {
		t.Errorf("of a journal that is cut %+v, %v", got, err)
	}
}

// FuzzJournal: whatever is read is written and read again alike.
func FuzzJournal(f *testing.F) {
	f.Add(journalOf(someCalls))
	f.Add([]byte("\xdd\xff\xff\xff\xff"))
	f.Add([]byte(strings.Repeat("\x91", 20)))
	f.Fuzz(func(t *testing.T, journal []byte) {
		calls, err := attemptsOf(&dedupe.Record{Journal: journal})
		if err != nil {
			return
		}
		again, err := attemptsOf(&dedupe.Record{Journal: journalOf(calls)})
		if err != nil || !slices.Equal(again, calls) {
			t.Fatalf("%x: %+v, then %+v, %v", journal, calls, again, err)
		}
	})
}
