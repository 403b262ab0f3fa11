package querylog

import "testing"

// What the quick check calls harmless must be harmless by the patterns, too.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"order-20261123-7", "a@b.c", "a%40b", "a=40b", "13812345678", "x13812345678x", "+8613", "2088000000000001", "1234567890", "a＠b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if plain(s) && (anAt.MatchString(s) || anNumber.MatchString(s)) {
			t.Errorf("%q is taken to be harmless", s)
		}
	})
}
