// The story of one query: its run with every call, and all asks of it.

package database

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Run is one row of the runs, with what may be shown.
type Run struct {
	ID          string `json:"run"`
	AtMs        int64  `json:"at_ms"`
	TookMs      int64  `json:"took_ms"`
	Partner     string `json:"partner,omitempty"`
	KeyID       string `json:"key_id,omitempty"`
	Email       string `json:"email,omitempty"` // masked
	EmailID     string `json:"email_id,omitempty"`
	Account     string `json:"account,omitempty"` // masked
	AccountID   string `json:"account_id,omitempty"`
	HashVersion string `json:"hash_version,omitempty"`
	Outcome     string `json:"outcome"`
	Code        string `json:"code,omitempty"`
	Class       string `json:"class,omitempty"`
	Debit       *bool  `json:"charge_agent,omitempty"`
	Refund      *bool  `json:"refund_charge,omitempty"`
	Verified    string `json:"verified,omitempty"`
	Worker      string `json:"worker,omitempty"`
	Deaths      int    `json:"deaths,omitempty"`
	Calls       []Call `json:"calls"`
}

// Story is a run and its asks. Run is nil for a run that is not in the log yet, or an ask without a
// run.
type Story struct {
	Run  *Run  `json:"run,omitempty"`
	Asks []Ask `json:"asks"`           // oldest first
	More bool  `json:"more,omitempty"` // there are more asks than MaxPage
}

// maxStories bounds the runs shown for an id that was used many times.
const maxStories = 20

// ErrUnknownID says that neither a run nor an ask has this id.
var ErrUnknownID = errors.New("no run and no ask has this id")

// Show returns the stories of an id: that of a run, of an ask, or the asker's own id (its spellings
// in the log). Several runs may have answered one asker's id; the newest comes first.
func (db *DB) Show(ctx context.Context, id string, spellings []string) ([]Story, error) {
	run, err := db.run(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("show: %w", err)
	}
	if run != nil {
		s, err := db.story(ctx, id, run)
		return []Story{s}, err
	}
	asks, err := db.asks(ctx, "SELECT "+askColumns+" FROM asks WHERE token = ?", id)
	if err != nil {
		return nil, fmt.Errorf("show: %w", err)
	}
	// The asker's own id, or a run whose line has not come yet.
	for _, f := range []Filter{{Requests: spellings}, {Run: id}} {
		if len(asks) > 0 || len(f.Requests) == 0 && f.Run == "" {
			continue
		}
		page, err := db.List(ctx, f, Cursor{}, MaxPage)
		if err != nil {
			return nil, fmt.Errorf("show: %w", err)
		}
		asks = page.Asks
	}
	if len(asks) == 0 {
		return nil, ErrUnknownID
	}
	return db.stories(ctx, asks)
}

// stories returns each run of the asks once. Each ask without a run is a story of its own.
func (db *DB) stories(ctx context.Context, asks []Ask) ([]Story, error) {
	var list []Story
	told := map[string]bool{}
	for _, a := range asks {
		if a.Run != "" && told[a.Run] || len(list) == maxStories {
			continue
		}
		if a.Run == "" {
			list = append(list, Story{Asks: []Ask{a}})
			continue
		}
		told[a.Run] = true
		run, err := db.run(ctx, a.Run)
		if err != nil {
			return nil, fmt.Errorf("show: %w", err)
		}
		s, err := db.story(ctx, a.Run, run)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (db *DB) story(ctx context.Context, id string, run *Run) (Story, error) {
	page, err := db.List(ctx, Filter{Run: id}, Cursor{}, MaxPage)
	if err != nil {
		return Story{}, fmt.Errorf("show: %w", err)
	}
	s := Story{Run: run, More: page.Next != Cursor{}, Asks: make([]Ask, 0, len(page.Asks))}
	for i := range page.Asks {
		s.Asks = append(s.Asks, page.Asks[len(page.Asks)-1-i])
	}
	return s, nil
}

// run reads one run, nil if it does not exist.
func (db *DB) run(ctx context.Context, id string) (*Run, error) {
	var r Run
	var key, email, account []byte
	var calls string
	row := db.read.QueryRowContext(ctx, db.kind.rebind("SELECT "+runColumns+" FROM runs WHERE id = ?"), id)
	err := row.Scan(&r.ID, &r.AtMs, &r.TookMs, &r.Partner, &key, &r.Email, &email, &r.Account, &account, &r.HashVersion,
		&r.Outcome, &r.Code, &r.Class, &r.Debit, &r.Refund, &r.Verified, &r.Worker, &r.Deaths, &calls)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.KeyID, r.EmailID, r.AccountID = hex.EncodeToString(key), hex.EncodeToString(email), hex.EncodeToString(account)
	if err := json.Unmarshal([]byte(calls), &r.Calls); err != nil {
		return nil, fmt.Errorf("read the calls of run %s: %w", id, err)
	}
	return &r, nil
}
