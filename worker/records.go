// Records of the fleet: in which stream they are, by which subjects.

package worker

import (
	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/record"
)

// KeyRecords are what the fleet with these names shares about each key, under its token.
func KeyRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.State), Subject: names.State(""), Changed: names.Changed("")})
}

// PartnerRecords are what the fleet with these names shares about its partners, each under
// "<partner>.<record>".
func PartnerRecords(nc *nats.Conn, to record.Publisher, names messages.Names) *record.Stream {
	subject := names.Partner("", "")
	return record.NewStream(record.Options{NATS: nc, To: to, Name: names.Stream(messages.Partners),
		Subject: subject[:len(subject)-1], Changed: names.Changed("")})
}
