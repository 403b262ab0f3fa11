// Halt: what the fleet shares about a partner that is halted, and how it is read and written.

package partner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"protocolq/worker/record"
)

// Halt is the shared record of a halted partner: since when, by whom and why.
type Halt struct {
	Halted    bool   `json:"halted"`
	SinceMs   int64  `json:"since_ms,omitempty"` // unix ms
	By        string `json:"by,omitempty"`       // who wrote it: a worker, or ByOperator
	Who       string `json:"who,omitempty"`      // the operator, as user@host
	Code      string `json:"code,omitempty"`     // the gateway's code that led to it
	Reason    string `json:"reason,omitempty"`
	ProbeAtMs int64  `json:"probe_at_ms,omitempty"` // unix ms when one call is let through as a probe; 0: never
}

// mostReason bounds the reason in an answer.
const mostReason = 200

// Words say who halted the partner, since when and why; "" if it is not halted.
func (h Halt) Words() string {
	if !h.Halted {
		return ""
	}
	who := "worker " + h.By
	if h.By == ByOperator {
		who = strings.TrimSpace(ByOperator + " " + h.Who)
	}
	text := "halted by " + who
	if h.SinceMs > 0 {
		text += " at " + time.UnixMilli(h.SinceMs).UTC().Format(time.RFC3339)
	}
	if h.Code != "" {
		text += ", " + h.Code
	}
	if h.Reason != "" {
		text += ": " + h.Reason[:min(len(h.Reason), mostReason)]
	}
	return strings.ToValidUTF8(text, "")
}

// HaltRecord is the name of a partner's halt among its records, "<partner>.halt".
const HaltRecord = "halt"

// ByOperator marks a halt that only an operator ends.
const ByOperator = "operator"

// ReadHalt reads a partner's halt, or the zero Halt if there is none.
func ReadHalt(ctx context.Context, s record.Store, partner string) (Halt, error) {
	r, err := s.Get(ctx, nameOf(partner))
	if err != nil {
		return Halt{}, err
	}
	return decodeHalt(r.Data)
}

// WriteHalt writes a partner's halt over any record that a worker writes meanwhile: an operator has
// precedence.
func WriteHalt(ctx context.Context, s record.Store, partner string, h Halt) error {
	return record.Change(ctx, s, nameOf(partner), func([]byte) ([]byte, error) { return json.Marshal(h) })
}

func nameOf(partner string) string { return partner + "." + HaltRecord }

func decodeHalt(data []byte) (h Halt, err error) {
	if err := record.Decode(data, &h); err != nil {
		return Halt{}, fmt.Errorf("read halt: %w", err)
	}
	return h, nil
}
