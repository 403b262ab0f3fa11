// Which asks a reader wants, and where the next page begins.

package database

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"protocolq/worker/querylog"
)

// Filter says which asks are wanted. Its zero value wants all. All conditions that are set must
// hold.
type Filter struct {
	Since, Until time.Time         // arrived from Since and before Until
	Emails       []querylog.LookUp // one of these (a person has one for each hash key)
	Accounts     []querylog.LookUp
	Keys         []querylog.LookUp
	Requests     []string // one of these spellings of the asker's id
	Run          string
	Partner      string
	Outcome      string
	Code         string
	Slow         time.Duration // took this long or longer
}

// Cursor is a place in the list, newest first. The zero value is the start of the list.
type Cursor struct {
	atMs  int64
	token string
	newer bool // the page is the one just above the place, not the one below
}

// above marks a cursor, as text, of the page above its place.
const above = "^"

// String is "" at the start of the list.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	text := strconv.FormatInt(c.atMs, 10) + "/" + c.token
	if c.newer {
		text = above + text
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// ParseCursor reads what String wrote.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	text, newer := strings.CutPrefix(string(data), above)
	at, token, ok := strings.Cut(text, "/")
	ms, nerr := strconv.ParseInt(at, 10, 64)
	if err != nil || !ok || nerr != nil || token == "" {
		return Cursor{}, errors.New("is not a place that an earlier page named")
	}
	return Cursor{atMs: ms, token: token, newer: newer}, nil
}

// where collects conditions and their arguments.
type where struct {
	parts []string
	args  []any
}

func (w *where) add(condition string, args ...any) {
	w.parts = append(w.parts, condition)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}

// common are the conditions that every part of a list has.
func (f *Filter) common(after Cursor) *where {
	w := &where{}
	if !f.Since.IsZero() {
		w.add("at_ms >= ?", f.Since.UnixMilli())
	}
	switch {
	case after == Cursor{}:
	case after.newer:
		w.add("(at_ms, token) > (?, ?)", after.atMs, after.token)
	default:
		w.add("(at_ms, token) < (?, ?)", after.atMs, after.token)
	}
	if !f.Until.IsZero() {
		w.add("at_ms < ?", f.Until.UnixMilli())
	}
	if f.Run != "" {
		w.add("run = ? AND run <> ''", f.Run)
	}
	if f.Slow > 0 {
		w.add("took_ms >= ?", f.Slow.Milliseconds())
	}
	return w
}

// branches splits a filter into queries that one index each answers in order. An index is by its
// first columns and then by time, so that a page is the newest few rows of all branches. A branch
// has no IN, as its rows would have to be sorted.
func (f *Filter) branches(partners []string) []where {
	list := []where{{}}
	each := func(condition string, values []any) {
		if len(values) == 0 {
			return
		}
		var next []where
		for _, w := range list {
			for _, v := range values {
				b := where{parts: append([]string(nil), w.parts...), args: append([]any(nil), w.args...)}
				b.add(condition, v)
				next = append(next, b)
			}
		}
		list = next
	}
	each("email_id = ?", ids(f.Emails))
	each("account_id = ?", ids(f.Accounts))
	each("key_id = ?", ids(f.Keys))
	each("request = ? AND request <> ''", texts(f.Requests))
	few := f.person() || f.Run != ""
	if f.Partner != "" {
		partners = []string{f.Partner}
	}
	switch {
	case few: // all other conditions filter the rows of one person
		if f.Partner != "" {
			each("partner = ?", []any{f.Partner})
		}
		f.words(each)
	case f.Code != "":
		each("partner = ?", texts(partners))
		each("code <> '' AND code = ?", []any{f.Code})
		if f.Outcome != "" {
			each("outcome = ?", []any{f.Outcome})
		}
	case slowness(f.Slow.Milliseconds()) > 0:
		if f.Partner != "" {
			each("partner = ?", []any{f.Partner})
		}
		f.words(each)
		each("slow > 0 AND slow = ?", slower(f.Slow))
	case f.Outcome != "":
		each("partner = ?", texts(partners))
		each("outcome = ?", []any{f.Outcome})
	case f.Partner != "":
		each("partner = ?", []any{f.Partner})
		each("outcome = ?", outcomes)
	}
	return list
}

// person reports that one look-up id or asker's id is wanted.
func (f *Filter) person() bool {
	return len(f.Emails)+len(f.Accounts)+len(f.Keys)+len(f.Requests) > 0
}

// words adds conditions for outcome and code that no index covers.
func (f *Filter) words(each func(string, []any)) {
	if f.Outcome != "" {
		each("outcome = ?", []any{f.Outcome})
	}
	if f.Code != "" {
		each("code = ?", []any{f.Code})
	}
}

// outcomes are all possible outcomes (package messages, Outcome), and "" for none.
var outcomes = []any{"signed", "not_signed", "abnormal", "refused", "accepted", "unknown", ""}

// slower are the classes of slowness from d up.
func slower(d time.Duration) []any {
	var list []any
	for s := slowness(d.Milliseconds()); s <= slowest; s++ {
		list = append(list, s)
	}
	return list
}

func ids(list []querylog.LookUp) []any {
	all := make([]any, len(list))
	for i, id := range list {
		all[i] = id[:]
	}
	return all
}

func texts(list []string) []any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return all
}

// Check reports a fault of the filter.
func (f *Filter) Check() error {
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return fmt.Errorf("since %s is not before until %s", f.Since.Format(time.RFC3339), f.Until.Format(time.RFC3339))
	}
	return nil
}
