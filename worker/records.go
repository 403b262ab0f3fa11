// Records of the fleet: their streams and subjects.

package worker

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/intake"
	"protocolq/worker/record"
)

// foreignRecords counts the fleet's unreadable records, and logs each name at once, and then at
// intervals while it stays unreadable. There are as many names as partners have records.
type foreignRecords struct {
	n   atomic.Uint64
	log *slog.Logger

	mu   sync.Mutex // guards said
	said map[string]time.Time
}

const foreignSaidEvery = 30 * time.Second

func (f *foreignRecords) met(name string, err error) {
	f.n.Add(1)
	f.mu.Lock()
	now := time.Now()
	due := now.Sub(f.said[name]) >= foreignSaidEvery
	if due {
		f.said[name] = now
	}
	f.mu.Unlock()
	if due {
		f.log.Error("record of the fleet cannot be read", "record", name, "err", err,
			"hint", "it is written over, one of a later version after a few minutes; who else may write there?")
	}
}

// PartnerRecords are the shared records of the fleet with these names about its partners, each
// named "<partner>.<record>".
func PartnerRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	return partnerRecords(nc, to, names, func(string, error) {})
}

func partnerRecords(nc *nats.Conn, to record.Publisher, names messages.Names,
	foreign func(string, error)) *record.Stream {
	subject := names.Partner("", "")
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Fleet),
		Subject: subject[:len(subject)-1], Changed: names.Changed(""), Foreign: foreign})
}

// AlertRecords are the records about the fleet's alerts: one record. It is not republished.
func AlertRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Fleet),
		Subject: strings.TrimSuffix(names.Alerts(), "alerts")})
}

// IntakeRecords are the records about its intake: one record, intake.PauseRecord. It is not
// republished.
func IntakeRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Fleet),
		Subject: strings.TrimSuffix(names.Intake(), intake.PauseRecord)})
}
