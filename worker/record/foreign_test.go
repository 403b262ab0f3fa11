// Records that are not ours: what is read of them, and when they are written over.

package record_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"protocolq/worker/record"
)

func TestDecode(t *testing.T) {
	type halt struct {
		Halted bool   `json:"halted"`
		By     string `json:"by"`
	}
	for data, c := range map[string]struct {
		want halt
		err  error
	}{
		``:                               {},
		`{}`:                             {},
		`{"halted":true,"by":"ops"}`:     {want: halt{true, "ops"}},
		`{"v":1,"halted":true,"new":7}`:  {want: halt{Halted: true}},
		`{"v":2,"state":"halted"}`:       {err: record.ErrNewer},
		`{"v":"2"}`:                      {err: record.ErrUnreadable},
		`{"halted":"zhang@example.com"}`: {err: record.ErrUnreadable},
		`{"halted":`:                     {err: record.ErrUnreadable},
		`null`:                           {err: record.ErrUnreadable},
		`[]`:                             {err: record.ErrUnreadable},
		`zhang@example.com`:              {err: record.ErrUnreadable},
		"\x81\xa1v\x01":                  {err: record.ErrUnreadable},
	} {
		var h halt
		err := record.Decode([]byte(data), &h)
		if !errors.Is(err, c.err) || c.err == nil && (err != nil || h != c.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", data, h, err, c.want, c.err)
		}
		if err != nil && strings.Contains(err.Error(), "zhang") {
			t.Errorf("it says what was in the record: %v", err)
		}
	}
}

func TestLeft(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		err  error
		age  time.Duration
		left bool
	}{
		{record.ErrNewer, 0, true}, {record.ErrNewer, 4*time.Minute - 1, true}, {record.ErrNewer, 4 * time.Minute, false},
		{record.ErrNewer, -time.Minute, true}, {record.ErrNewer, -time.Hour, false}, // a server's clock that is ahead
		{record.ErrUnreadable, 0, false}, {nil, 0, false},
	} {
		if left := (record.Record{Time: now.Add(-c.age)}).Left(c.err, now); left != c.left {
			t.Errorf("%v, %v old: left %v", c.err, c.age, left)
		}
	}
}
