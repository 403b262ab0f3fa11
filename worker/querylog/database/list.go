// Reading: pages of asks, newest first, by keys and not by offsets, so that the last page costs as
// much as the first.

package database

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Ask is one row of the list, with what may be shown.
type Ask struct {
	Token       string `json:"token"`
	AtMs        int64  `json:"at_ms"`
	TookMs      int64  `json:"took_ms"`
	ID          string `json:"id"` // the asker's own; hashed when it may name a person
	Run         string `json:"run,omitempty"`
	Partner     string `json:"partner,omitempty"`
	KeyID       string `json:"key_id,omitempty"`
	Email       string `json:"email,omitempty"` // masked
	EmailID     string `json:"email_id,omitempty"`
	Account     string `json:"account,omitempty"` // masked
	AccountID   string `json:"account_id,omitempty"`
	HashVersion string `json:"hash_version,omitempty"`
	Source      string `json:"source,omitempty"`
	Door        string `json:"door,omitempty"`
	Subject     string `json:"subject,omitempty"`
	Reply       string `json:"reply,omitempty"`
	Outcome     string `json:"outcome"`
	Code        string `json:"code,omitempty"`
	Trace       string `json:"trace,omitempty"`
	Field       string `json:"field,omitempty"` // of a refusal: what was at fault
}

// Page is a part of a list. Next is the cursor of the next page, zero at the end. Previous is the
// cursor of the page before, zero at the start.
type Page struct {
	Asks           []Ask
	Next, Previous Cursor
}

// MaxPage bounds the asks of one page.
const MaxPage = 1000

// maxBranches bounds one statement; SQLite takes 500 and each costs a look-up.
const maxBranches = 100

// List returns up to limit asks that f wants, the newest first: those below the cursor, or just
// above it.
func (db *DB) List(ctx context.Context, f Filter, after Cursor, limit int) (Page, error) {
	if err := f.Check(); err != nil {
		return Page{}, fmt.Errorf("list: %w", err)
	}
	limit = min(max(limit, 1), MaxPage)
	var partners []string
	if f.Partner == "" && (f.Outcome != "" || f.Code != "") {
		var err error
		if partners, err = db.Partners(ctx); err != nil {
			return Page{}, err
		}
		if len(partners) == 0 {
			return Page{}, nil
		}
	}
	all, err := db.collect(ctx, &f, after, f.branches(partners), limit+1)
	if err != nil {
		return Page{}, fmt.Errorf("list: %w", err)
	}
	slices.SortFunc(all, func(a, b Ask) int {
		return -cmp.Or(cmp.Compare(a.AtMs, b.AtMs), strings.Compare(a.Token, b.Token))
	})
	return pageOf(all, after, limit), nil
}

// pageOf cuts a page from asks, which are more than the page holds, newest first, and sets its
// cursors.
func pageOf(all []Ask, at Cursor, limit int) Page {
	p := Page{Asks: all}
	if more := len(all) > limit; at.newer {
		if more {
			p.Asks = all[len(all)-limit:]
		}
		if len(p.Asks) > 0 { // at least the ask at the cursor is below
			p.Next = placeOf(&p.Asks[len(p.Asks)-1], false)
		}
		if more {
			p.Previous = placeOf(&p.Asks[0], true)
		}
		return p
	} else if more {
		p.Asks = all[:limit:limit]
		p.Next = placeOf(&p.Asks[limit-1], false)
	}
	if at != (Cursor{}) && len(p.Asks) > 0 {
		p.Previous = placeOf(&p.Asks[0], true)
	}
	return p
}

func placeOf(a *Ask, newer bool) Cursor { return Cursor{a.AtMs, a.Token, newer} }

// collect reads enough of the newest asks of each branch.
func (db *DB) collect(ctx context.Context, f *Filter, after Cursor, branches []where, enough int) (all []Ask,
	err error) {
	windows := []window{{}}
	if len(branches) > 1 {
		if windows, err = db.kind.windows(ctx, db.read); err != nil {
			return nil, err
		}
		if after.newer {
			slices.Reverse(windows)
		}
	}
	common, s := f.common(after), db.shape(f, after, enough)
	for _, w := range windows {
		if !f.meets(w, after) {
			continue
		}
		within := w.narrow(common)
		for part := range slices.Chunk(branches, maxBranches) {
			asks, err := db.newest(ctx, part, within, w.narrow(&where{}), s)
			if err != nil {
				return nil, err
			}
			all = append(all, asks...)
		}
		if len(all) >= enough { // the other windows are older than all of these
			break
		}
	}
	return all, nil
}

// window is a span of time in which a list is read; its zero value is all of time.
type window struct{ from, until int64 }

// narrow adds the window as plain numbers, so that the planner knows which part of a table is
// needed.
func (w window) narrow(common *where) *where {
	if w == (window{}) {
		return common
	}
	return &where{parts: append(slices.Clone(common.parts), fmt.Sprintf("at_ms >= %d AND at_ms < %d", w.from, w.until)),
		args: common.args}
}

// meets reports whether any ask that f wants after the cursor can be in the window.
func (f *Filter) meets(w window, after Cursor) bool {
	return w == window{} ||
		(f.Since.IsZero() || f.Since.UnixMilli() < w.until) &&
			(f.Until.IsZero() || f.Until.UnixMilli() > w.from) &&
			(after == Cursor{} || after.newer && after.atMs < w.until || !after.newer && after.atMs >= w.from)
}

// newestFirst is the order of a list.
const newestFirst = "at_ms DESC, token DESC"

// oldestFirst reverses an order.
func oldestFirst(order string) string { return strings.ReplaceAll(order, " DESC", "") }

type shape struct {
	from, order string
	limit       int
	merge       string // finds the row of a key from a branch; "": branches return rows
}

func (db *DB) shape(f *Filter, at Cursor, limit int) shape {
	s := shape{from: "asks", order: newestFirst, limit: limit}
	if f.person() {
		s.from, s.order = db.kind.person()
	} else {
		s.merge = db.kind.row()
	}
	if at.newer {
		s.order = oldestFirst(s.order)
	}
	return s
}

// newest reads the newest asks of all branches in one statement. near are the conditions on where
// their rows are.
func (db *DB) newest(ctx context.Context, branches []where, common, near *where, s shape) ([]Ask, error) {
	statement, args := s.statement(branches, common, near)
	return db.asks(ctx, statement, args...)
}

func (s shape) statement(branches []where, common, near *where) (statement string, args []any) {
	if s.merge == "" || len(branches) == 1 {
		return union(branches, common, s)
	}
	return merged(branches, common, near, s)
}

// merged reads the keys of the newest asks from the branches' indexes, which hold all columns of
// the conditions. Then it reads only the rows that are wanted: the rows of a rare branch are far
// apart, each in a page of its own.
func merged(branches []where, common, near *where, s shape) (statement string, args []any) {
	var parts []string
	for _, b := range branches {
		w := where{parts: append(b.parts, common.parts...), args: append(b.args, common.args...)}
		parts = append(parts, "SELECT at_ms AS k_at, token AS k_token FROM "+s.from+w.String())
		args = append(args, w.args...)
	}
	order := strings.NewReplacer("at_ms", "k_at", "token", "k_token").Replace(s.order)
	rows := where{parts: append([]string{s.merge}, near.parts...)}
	return "SELECT " + askColumns + " FROM (" + strings.Join(parts, " UNION ALL ") + " ORDER BY " + order +
		" LIMIT ?) AS k, asks" + rows.String(), append(args, s.limit)
}

func union(branches []where, common *where, s shape) (statement string, args []any) {
	var parts []string
	for _, b := range branches {
		w := where{parts: append(b.parts, common.parts...), args: append(b.args, common.args...)}
		parts = append(parts,
			"SELECT * FROM (SELECT "+askColumns+" FROM "+s.from+w.String()+" ORDER BY "+s.order+" LIMIT ?) AS b")
		args = append(append(args, w.args...), s.limit)
	}
	return strings.Join(parts, " UNION ALL "), args
}

func (db *DB) asks(ctx context.Context, statement string, args ...any) ([]Ask, error) {
	result, err := db.read.QueryContext(ctx, db.kind.rebind(statement), args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var list []Ask
	for result.Next() {
		var a Ask
		var slow int
		var key, email, account []byte
		if err := result.Scan(&a.Token, &a.AtMs, &a.TookMs, &slow, &a.ID, &a.Run, &a.Partner, &key, &a.Email, &email,
			&a.Account, &account,
			&a.HashVersion, &a.Source, &a.Door, &a.Subject, &a.Reply, &a.Outcome,
			&a.Code, &a.Trace, &a.Field); err != nil {
			return nil, err
		}
		a.KeyID, a.EmailID = hex.EncodeToString(key), hex.EncodeToString(email)
		a.AccountID = hex.EncodeToString(account)
		list = append(list, a)
	}
	return list, result.Err()
}

// Partners are the partners of all asks, sorted. "" is for asks whose partner is not one of the
// fleet's.
func (db *DB) Partners(ctx context.Context) ([]string, error) {
	result, err := db.read.QueryContext(ctx, "SELECT partner FROM partners ORDER BY partner")
	if err != nil {
		return nil, fmt.Errorf("list partners: %w", err)
	}
	defer result.Close()
	var list []string
	for result.Next() {
		var p string
		if err := result.Scan(&p); err != nil {
			return nil, fmt.Errorf("list partners: %w", err)
		}
		list = append(list, p)
	}
	if err := result.Err(); err != nil {
		return nil, fmt.Errorf("list partners: %w", err)
	}
	return list, nil
}

// At is when the ask arrived.
func (a *Ask) At() time.Time { return time.UnixMilli(a.AtMs) }
