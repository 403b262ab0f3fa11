// Desk: what was sent to which target, shared by all recorders, so that one of them sends it.

package alert

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"protocolq/worker/ops"
	"protocolq/worker/record"
)

// said is the fleet's record of alerts: which recorder sends them, and what each target was sent.
type said struct {
	Holder  string                      `json:"holder"`
	UntilMs int64                       `json:"until_ms"` // unix ms
	To      map[string]map[string]entry `json:"to"`       // by target, by problem
}

// entry is when a problem was sent.
type entry struct {
	SinceMs int64 `json:"since_ms"` // of the problem
	SaidMs  int64 `json:"said_ms"`
}

// Times of the recorder that sends.
const (
	lease       = time.Minute // how long another waits before it takes over from one that is gone
	remindEvery = 4 * time.Hour
	mostSaid    = 200 // problems that one target was sent
)

// RecordName is the last token of the record's subject.
const RecordName = "alerts"

var errOther = errors.New("another sends alerts")

// hold makes this process the sender for another lease. With errOther another process is the
// sender.
func hold(ctx context.Context, s record.Store, self string, now time.Time,
	keep map[string]map[string]entry) (all map[string]map[string]entry, err error) {
	err = record.Change(ctx, s, RecordName, func(last []byte) ([]byte, error) {
		var r said
		if len(last) > 0 {
			if err := record.Decode(last, &r); err != nil {
				r = said{} // of a later version, or unreadable: problems are sent once more
			}
		}
		if r.Holder != self && now.UnixMilli() < r.UntilMs && r.UntilMs <= now.Add(2*lease).UnixMilli() {
			return nil, errOther
		}
		if r.Holder == self && keep != nil {
			r.To = keep
		}
		all = r.To
		return json.Marshal(said{Holder: self, UntilMs: now.Add(lease).UnixMilli(), To: r.To})
	})
	if all == nil {
		all = map[string]map[string]entry{}
	}
	return all, err
}

// due is what to send to a target now.
func due(given map[string]entry, problems ops.Problems, h ops.History, now time.Time) (n notice) {
	for _, p := range problems.Firing() {
		before, known := given[p.ID()]
		if !known && len(given)+len(n.firing) >= mostSaid {
			continue
		}
		if !known || now.Sub(time.UnixMilli(before.SaidMs)) >= remindEvery {
			n.firing = append(n.firing, p)
		}
	}
	for id, e := range given {
		if problems.Over(id, h) {
			n.resolved = append(n.resolved, resolved{ops.AlertOf(id), id, time.UnixMilli(e.SinceMs)})
		}
	}
	return n
}

// tell notes that a target took a notice.
func note(given map[string]entry, n notice, now time.Time) {
	for _, p := range n.firing {
		given[p.ID()] = entry{p.Since.UnixMilli(), now.UnixMilli()}
	}
	for _, r := range n.resolved {
		delete(given, r.ID)
	}
}
