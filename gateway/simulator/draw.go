// Reproducible chance: the same seed and words always give the same number.

package simulator

// draw hashes (FNV-1a, then a finalizer that spreads the bits) the seed, a number and
// words. It depends on nothing else, so the order in which calls arrive does not matter.
func draw(seed, n uint64, words ...string) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037) ^ seed
	for shift := 0; shift < 64; shift += 8 {
		h = (h ^ (n >> shift & 0xff)) * prime
	}
	for _, w := range words {
		for i := range len(w) {
			h = (h ^ uint64(w[i])) * prime
		}
		h = (h ^ 0xff) * prime // distinguishes "ab","c" from "a","bc"
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// chance is a draw as a number of at least 0 and below 1.
func chance(seed, n uint64, words ...string) float64 {
	return float64(draw(seed, n, words...)>>11) / (1 << 53)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
