//go:build unix

// The query log end to end: the database holds, row by row, what the gateway saw and what the
// askers received.
package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

func TestLogIsWhatHappened(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p, s, _ := dev(t, append(slices.Clip(patient), "--data", data, "--latency", "20ms", "--fault", "system-error:0.1", "--retry-budget", "1000", "--log-level", "warn")...)
	c := newCrowd(s)
	const asks = 300
	for i := range asks {
		part := []string{"signed", "not-signed", "debit-only", "no-sign-customer", "abnormal", "illegal-sign"}[i%6]
		c.ask(messages.Query{ID: fmt.Sprintf("ask-%d", i), UserEmail: person(part, fmt.Sprint("log", i%100))})
	}
	all := everybody(t, c)
	s.settled()
	db, err := database.Open(t.Context(), database.Options{URL: "sqlite://" + filepath.Join(data, "log.db"), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	clitest.Eventually(t, "all asks are in the log", func() bool {
		sums, err := db.Stats(t.Context(), time.Now().Add(-2*time.Hour), time.Now().Add(time.Hour), "")
		return err == nil && sums.Total.Asked == asks
	})
	runs := map[string]bool{}
	rows := askRows(t, db)
	for _, a := range all {
		row, told := rows[a.q.ID], a.answers[0]
		if row.Run != told.Run || row.Outcome != string(told.Outcome) || row.Code != told.Code || row.Source != string(told.Source) || row.Door != messages.DoorQuery {
			t.Errorf("%s was told %+v, the log says %+v", a.q.ID, told, row)
		}
		runs[told.Run] = true
	}
	if len(rows) != asks {
		t.Errorf("%d asks in the log, want %d", len(rows), asks)
	}
	for run := range runs {
		stories, err := db.Show(t.Context(), run, nil)
		if err != nil || len(stories) != 1 || stories[0].Run == nil {
			t.Fatalf("run %s: %d stories, %v", run, len(stories), err)
		}
		for _, call := range stories[0].Run.Calls {
			if call.TotalUs < 20_000 || call.Cut {
				t.Errorf("run %s: %+v", run, call)
			}
		}
	}
	// Every call is an attempt of some run, and no attempt is without a call.
	sums, err := db.Stats(t.Context(), time.Now().Add(-2*time.Hour), time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	if calls := s.calls(); sums.Total.Called != int64(len(calls)) {
		t.Errorf("%d attempts in the log, the gateway saw %d calls", sums.Total.Called, len(calls))
	}
	seen := s.stats()
	for code, logged := range map[string]string{"SYSTEM_ERROR": "system-error", "ILLEGAL_SIGN": "illegal-sign"} {
		if told := seen.By[code] + seen.By[logged]; uint64(sums.Total.CallCodes[code]) != told {
			t.Errorf("%d attempts with %s in the log, the gateway answered so %d times: %v", sums.Total.CallCodes[code], code, told, seen.By)
		}
	}
	p.stop()
}

// askRows reads every ask of the log, page by page, and returns them by the id that the asker
// chose.
func askRows(t *testing.T, db *database.DB) map[string]database.Ask {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	rows := map[string]database.Ask{}
	var after database.Cursor
	for {
		page, err := db.List(ctx, database.Filter{}, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.Asks {
			if before, twice := rows[a.ID]; twice {
				t.Errorf("%s is in the log twice: %+v and %+v", a.ID, before, a)
			}
			rows[a.ID] = a
		}
		if after = page.Next; after.String() == "" {
			return rows
		}
	}
}
