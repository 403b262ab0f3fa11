// Foreign names in our own messages: cut, quoted, and compared with known names.

package messages

import "strconv"

const maxShown = 40

// shown is a name in a form for Error.Field: unchanged if it is short and plain, else quoted and
// cut.
func shown(name string) string {
	if len(name) <= maxShown && IsToken(name) {
		return name
	}
	return quoted(name)
}

// quoted returns at most the first 40 bytes of s in quotes, in plain ASCII.
func quoted(s string) string {
	if len(s) > maxShown {
		return strconv.QuoteToASCII(s[:maxShown]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

// Nearest is the candidate of which name is most likely a misspelling, "" if none is near: at most
// two letters differ, or name is its beginning (max_age for max_age_ms).
func Nearest(name string, candidates []string) string {
	if len(name) < 2 || len(name) > 2*maxShown {
		return ""
	}
	best, least := "", 3
	for _, c := range candidates {
		d := distance(fold(name), fold(c))
		if d < least && d < len(c)-1 {
			best, least = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range candidates {
		if plain, of := fold(name), fold(c); len(plain) > 3 && len(of) > len(plain) && of[:len(plain)] == plain {
			return c
		}
	}
	return ""
}

// fold leaves only the lower-cased letters and digits of a name: userEmail, user-email and
// user_email are the same.
func fold(s string) string {
	b := make([]byte, 0, len(s))
	for _, c := range []byte(lowerASCII(s)) {
		if c != '_' && c != '-' && c != ' ' {
			b = append(b, c)
		}
	}
	return string(b)
}

// distance is how many letters must be inserted, removed or changed to make a from b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
