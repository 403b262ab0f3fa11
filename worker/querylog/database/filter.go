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

// Filter says which asks are wanted; its zero value wants all. What is set must
// all be so.
type Filter struct {
	Since, Until time.Time         // arrived from Since and before Until
	Emails       []querylog.LookUp // one of these (a person has one for each key)
	Accounts     []querylog.LookUp
	Keys         []querylog.LookUp
	Requests     []string // one of these spellings of the asker's id
	Run          string
	Partner      string
	Outcome      string
	Code         string
	Slow         time.Duration // took this long or longer
}

// Cursor is a place in the list, newest first; the zero value is its begin.
type Cursor struct {
	atMs  int64
	token string
	newer bool // the page is the one just above the place, not the one below
}

// above marks a cursor, as text, of the page above its place.
const above = "^"

// String is "" at the begin of the list.
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

// common are the conditions every part of a listing has.
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

// branches split a filter into questions that one index each answers in order:
// the index is by the first columns and then by time, so a page is the newest
// few of each branch. A branch has no IN: that would have to be sorted.
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
	case few: // all the rest is a filter over the rows of one person
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

// words adds outcome and code where they are no index's business.
func (f *Filter) words(each func(string, []any)) {
	if f.Outcome != "" {
		each("outcome = ?", []any{f.Outcome})
	}
	if f.Code != "" {
		each("code = ?", []any{f.Code})
	}
}

// outcomes are all there can be (package messages, Outcome), and none at all.
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

// Check reports a filter that cannot be asked.
func (f *Filter) Check() error {
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return fmt.Errorf("since %s is not before until %s", f.Since.Format(time.RFC3339), f.Until.Format(time.RFC3339))
	}
	return nil
}
