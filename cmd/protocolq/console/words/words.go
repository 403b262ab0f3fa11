// Every text of the page, in both languages: each row has both, so that none can be missing.

// Package words holds the console's texts, in English and in Chinese. Each area of the page has a
// table in a file of its own; a template writes {{t "area.name"}}.
package words

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Lang is one of the page's languages, as HTML and Accept-Language spell it.
type Lang string

// The languages. English is also for readers who ask for neither.
const (
	English Lang = "en"
	Chinese Lang = "zh-CN"
)

// Langs are all languages, in the order of the switch.
func Langs() []Lang { return []Lang{Chinese, English} }

// Said is one text in both languages. %s, %d and %v stand for the arguments of T, in the same
// order.
type Said struct{ EN, ZH string }

// In is the text in one language.
func (s Said) In(l Lang) string {
	if l == Chinese {
		return s.ZH
	}
	return s.EN
}

// tables are the areas of the page. A new area has a file, and a line here.
var tables = []map[string]Said{shared, signIn, lookUp, watches, queries, letters, fleet}

// all is every row. If two areas had the same key, one would hide the other; a test finds that.
var all = func() map[string]Said {
	rows := map[string]Said{}
	for _, table := range tables {
		maps.Copy(rows, table)
	}
	return rows
}()

// Keys are the keys of all rows, sorted.
func Keys() []string { return slices.Sorted(maps.Keys(all)) }

// Known reports whether there is such a row.
func Known(key string) bool { _, ok := all[key]; return ok }

// Say returns the text of key. A missing key is shown in brackets that no text has: the tests of
// the page look for them.
func Say(l Lang, key string, args ...any) string {
	said, ok := all[key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	if len(args) == 0 {
		return said.In(l)
	}
	return fmt.Sprintf(said.In(l), args...)
}

// Parse finds a language by its name; ok is false for any other.
func Parse(name string) (l Lang, ok bool) {
	for _, l := range Langs() {
		if strings.EqualFold(name, string(l)) {
			return l, true
		}
	}
	return English, false
}

// Preferred is the first language of an Accept-Language header that the page has. Browsers send
// languages in order of preference, so that the weights need not be read.
func Preferred(header http.Header) Lang {
	for part := range strings.SplitSeq(header.Get("Accept-Language"), ",") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
		switch base, _, _ := strings.Cut(name, "-"); base {
		case "zh":
			return Chinese
		case "en":
			return English
		}
	}
	return English
}
