// Discovery: what a NATS service says about itself, so that `nats service ls`, info and stats find
// the workers.

package intake

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"

	"protocolq/messages"
)

// discovery answers PING, INFO and STATS like the library's own services. The library's service is
// not used: it measures until a handler returns. Here that is before the reply, so it would show no
// errors and wrong times.
type discovery struct {
	identity  micro.ServiceIdentity
	started   time.Time
	endpoints []*endpoint
	replied   func() replied
	data      func() any
}

// endpoint is a subject of the query door.
type endpoint struct {
	name, subject string
	requests      func() uint64
}

// replied sums up the replies of a worker to askers that await one.
type replied struct {
	errors    uint64
	lastError string
	number    uint64
	took      time.Duration // since each ask was taken in, in total
}

func newDiscovery(o *Options) *discovery {
	return &discovery{started: time.Now().UTC(),
		identity: micro.ServiceIdentity{Name: messages.ServiceName, ID: nuid.Next(), Version: o.Version,
			Metadata: map[string]string{"owner": o.Owner}}}
}

// listen answers on nc until the returned subscriptions end.
func (d *discovery) listen(nc *nats.Conn) (subs []*nats.Subscription, err error) {
	answers := map[micro.Verb]func() any{micro.PingVerb: d.ping, micro.InfoVerb: d.info, micro.StatsVerb: d.stats}
	for verb, answer := range answers {
		for _, to := range [][2]string{{"", ""}, {d.identity.Name, ""}, {d.identity.Name, d.identity.ID}} {
			subject, err := micro.ControlSubject(verb, to[0], to[1])
			if err != nil {
				return subs, err
			}
			sub, err := nc.Subscribe(subject, func(m *nats.Msg) {
				if body, err := json.Marshal(answer()); err == nil {
					_ = m.Respond(body) // if it is lost, the client asks again
				}
			})
			if err != nil {
				return subs, fmt.Errorf("answer %s: %w", subject, err)
			}
			subs = append(subs, sub)
		}
	}
	return subs, nil
}

func (d *discovery) ping() any {
	return micro.Ping{ServiceIdentity: d.identity, Type: micro.PingResponseType}
}

func (d *discovery) info() any {
	i := micro.Info{ServiceIdentity: d.identity, Type: micro.InfoResponseType,
		Description: "has this account signed the agreement for automatic debit and refund?"}
	for _, e := range d.endpoints {
		i.Endpoints = append(i.Endpoints, micro.EndpointInfo{Name: e.name, Subject: e.subject,
			QueueGroup: messages.QueueGroup, Metadata: described()})
	}
	return i
}

// stats counts requests where they came in. Errors, times and the worker's figures are at the first
// endpoint only, because they belong to the worker and not to a subject: a sum over the endpoints
// then counts them once.
func (d *discovery) stats() any {
	s := micro.Stats{ServiceIdentity: d.identity, Type: micro.StatsResponseType, Started: d.started}
	for i, e := range d.endpoints {
		of := &micro.EndpointStats{Name: e.name, Subject: e.subject, QueueGroup: messages.QueueGroup,
			NumRequests: int(e.requests())}
		if i == 0 {
			r := d.replied()
			of.NumErrors, of.LastError, of.ProcessingTime = int(r.errors), r.lastError, r.took
			of.AverageProcessingTime = r.took / time.Duration(max(1, r.number))
			of.Data, _ = json.Marshal(d.data())
		}
		s.Endpoints = append(s.Endpoints, of)
	}
	return s
}

// end drains subscriptions: what has come in is answered, and nothing more comes.
func end(subs []*nats.Subscription) error {
	var faults []error
	for _, s := range subs {
		faults = append(faults, s.Drain())
	}
	return errors.Join(faults...)
}
