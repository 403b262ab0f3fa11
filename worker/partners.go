// What the fleet shares about a partner: its halt, and the records of its limits.

package worker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/record"
)

// PartnerRecords are what the fleet with these names shares about its partners, each under "<partner>.<record>".
func PartnerRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	subject := names.Partner("", "")
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Partners),
		Subject: subject[:len(subject)-1], Changed: names.Changed("")})
}

// Halt is the shared record of a partner that is not asked for at present.
type Halt struct {
	Halted    bool   `json:"halted"`
	SinceMs   int64  `json:"since_ms,omitempty"`
	By        string `json:"by,omitempty"`   // a worker, or ByOperator
	Code      string `json:"code,omitempty"` // the gateway's, that led to it
	Reason    string `json:"reason,omitempty"`
	ProbeAtMs int64  `json:"probe_at_ms,omitempty"` // when one query is let through to see; 0: none ever is
}

// HaltRecord is the name of a partner's halt among its records; ByOperator marks one that only an operator ends.
const (
	HaltRecord = "halt"
	ByOperator = "operator"
)

// When a partner is halted: so many answers of its settings' fault, over so many
// keys, within so long, and nothing else between. One strange query cannot do it.
const (
	haltAnswers = 5
	haltKeys    = 3
	haltWithin  = time.Minute
	probeEvery  = time.Minute
)

// halts knows which partners are halted and decides when one is.
type halts struct {
	w       *Worker
	records *record.Stream

	mu       sync.Mutex // guards what follows; never held over I/O
	partners map[string]*haltState
}

type haltState struct {
	rec    Halt
	seq    uint64
	faults []fault // latest, with nothing good between
}

type fault struct {
	at  time.Time
	key string
}

func newHalts(w *Worker, records *record.Stream) *halts {
	h := &halts{w: w, records: records, partners: map[string]*haltState{}}
	for _, p := range w.o.Partners {
		h.partners[p] = &haltState{}
	}
	return h
}

// refresh reads the halts of all partners.
func (h *halts) refresh(ctx context.Context) error {
	var faults []error
	for p := range h.partners {
		r, err := h.records.Get(ctx, p+"."+HaltRecord)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		h.heard(p, r.Data, r.Seq)
	}
	return errors.Join(faults...)
}

// heard takes in a halt record.
func (h *halts) heard(partner string, data []byte, seq uint64) {
	var rec Halt
	if len(data) > 0 {
		if err := json.Unmarshal(data, &rec); err != nil {
			h.w.log.Error("halt record not understood", "partner", partner, "err", err)
			return
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.partners[partner]
	if s == nil || seq == s.seq {
		return
	}
	if rec.Halted != s.rec.Halted {
		h.w.log.Warn("partner halt changed", "partner", partner, "halted", rec.Halted, "by", rec.By, "code", rec.Code)
		s.faults = nil
	}
	s.rec, s.seq = rec, seq
}

// check tells whether partner may be asked for. While it is halted one query a
// minute is let through, by whichever worker writes that down first.
func (h *halts) check(ctx context.Context, partner string) (after time.Duration, halted bool) {
	h.mu.Lock()
	s := h.partners[partner]
	if s == nil || !s.rec.Halted {
		h.mu.Unlock()
		return 0, false
	}
	rec, seq := s.rec, s.seq
	h.mu.Unlock()
	now := h.w.clock.Now()
	probe := time.UnixMilli(rec.ProbeAtMs)
	switch {
	case rec.ProbeAtMs == 0:
		return probeEvery, true
	case now.Before(probe):
		return probe.Sub(now), true
	}
	rec.ProbeAtMs = now.Add(probeEvery).UnixMilli()
	if err := h.put(ctx, partner, rec, seq); err != nil {
		return time.Second, true // another worker does it, or the record cannot be written
	}
	h.w.log.Info("partner probed", "partner", partner)
	return 0, false
}

// put writes a halt and takes it in.
func (h *halts) put(ctx context.Context, partner string, rec Halt, expect uint64) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	data, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	seq, err := h.records.Put(ctx, partner+"."+HaltRecord, data, record.Terms{Expect: expect})
	if err != nil {
		return err
	}
	h.heard(partner, data, seq)
	return nil
}

// note takes in what a run came to. conf: the partner's settings are at fault;
// good: the gateway answered, and they are not.
func (h *halts) note(ctx context.Context, partner, key, code string, conf, good bool) {
	h.mu.Lock()
	s := h.partners[partner]
	if s == nil || !conf && !good {
		h.mu.Unlock()
		return
	}
	now := h.w.clock.Now()
	if good {
		s.faults = nil
	} else {
		s.faults = slices.DeleteFunc(append(s.faults, fault{now, key}), func(f fault) bool { return now.Sub(f.at) > haltWithin })
		s.faults = s.faults[max(0, len(s.faults)-4*haltAnswers):]
	}
	rec, seq, halt := s.rec, s.seq, len(s.faults) >= haltAnswers && keysOf(s.faults) >= haltKeys
	h.mu.Unlock()
	switch {
	case good && rec.Halted && rec.By != ByOperator:
		if err := h.put(ctx, partner, Halt{}, seq); err == nil {
			h.w.log.Info("partner is asked for again", "partner", partner)
		}
	case halt && !rec.Halted:
		rec = Halt{Halted: true, SinceMs: now.UnixMilli(), By: h.w.owner, Code: code, ProbeAtMs: now.Add(probeEvery).UnixMilli(),
			Reason: "the gateway finds fault with this partner's settings, whoever is asked about"}
		if err := h.put(ctx, partner, rec, seq); err == nil {
			h.w.log.Error("partner halted", "partner", partner, "code", code,
				"hint", "correct its key, contract or permission; one query a minute finds out, or protocolq partner resume")
		}
	}
}

func keysOf(faults []fault) int {
	keys := map[string]bool{}
	for _, f := range faults {
		keys[f.key] = true
	}
	return len(keys)
}
