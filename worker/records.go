// Records of the fleet: in which stream they are, by which subjects.

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

// foreignRecords counts the records of the fleet that nobody can read, and says so of each name at
// once, and every so often while it goes on. There are as many names as partners have records.
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

// PartnerRecords are what the fleet with these names shares about its partners, each under
// "<partner>.<record>".
func PartnerRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	return partnerRecords(nc, to, names, func(string, error) {})
}

func partnerRecords(nc *nats.Conn, to record.Publisher, names messages.Names,
	foreign func(string, error)) *record.Stream {
	subject := names.Partner("", "")
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Fleet),
		Subject: subject[:len(subject)-1], Changed: names.Changed(""), Foreign: foreign})
}

// AlertRecords are those about the fleet's alerts: one. It is not republished.
func AlertRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Fleet),
		Subject: strings.TrimSuffix(names.Alerts(), "alerts")})
}

// IntakeRecords are those about its intake: one, intake.PauseRecord. It is not republished.
func IntakeRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Fleet),
		Subject: strings.TrimSuffix(names.Intake(), intake.PauseRecord)})
}
