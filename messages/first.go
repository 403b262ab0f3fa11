// Names of the first core: they go when it does.

package messages

import "strings"

// The streams of the first core, and what each is for.
const (
	Requests Kind = "REQUESTS" // queries that wait for their answer
	Waiting  Kind = "WAITING"  // submitted queries that wait for a cool-down
	State    Kind = "STATE"    // one record a key
	Partners Kind = "PARTNERS" // records the fleet shares about a partner
)

// The first core's consumers beside ConsumerSubmitted, which there is one of Requests.
const (
	ConsumerAsked   = "asked"   // of Requests
	ConsumerWaiting = "waiting" // of Waiting
)

// HeaderNotBefore is of a waiting query: when it is asked again, unix milliseconds.
const HeaderNotBefore = "Protocol-Not-Before"

func (n Names) firstCaptures(k Kind) []string {
	switch k {
	case Requests:
		return []string{n.root + "request.*", n.submit, n.submitAll}
	case Waiting:
		return []string{n.Wait("*")}
	case State:
		return []string{n.StateAll()}
	case Partners:
		return []string{n.partner + "*.*"}
	}
	return nil
}

// Filter lists the subjects a consumer reads; nil for a name that is none.
func (n Names) Filter(consumer string) []string {
	switch consumer {
	case ConsumerAsked:
		return []string{n.root + "request.*"}
	case ConsumerSubmitted:
		return []string{n.submit, n.submitAll}
	case ConsumerWaiting:
		return n.Captures(Waiting)
	case ConsumerRecorder:
		return n.Captures(Log)
	}
	return nil
}

// Request is what the front door stores for a key token.
func (n Names) Request(key string) string { return n.root + "request." + key }

// Requests is what the front door stores of many askers in one message; no key token is spelled so.
func (n Names) Requests() string { return n.Request("batch") }

// State is the record of a key token.
func (n Names) State(key string) string { return n.root + "state." + key }

// StateAll covers State of every key.
func (n Names) StateAll() string { return n.State("*") }

// ChangedAll covers Changed of every key.
func (n Names) ChangedAll() string { return n.Changed("*") }

// Wait is where submitted queries wait for a cool-down or a halted partner.
func (n Names) Wait(partner string) string { return n.root + "wait." + partner }

// KeyOf is the key token at the end of a Request, State or Changed subject.
func (n Names) KeyOf(subject string) (key string, ok bool) {
	for _, head := range [...]string{n.Changed(""), n.Request(""), n.State("")} {
		if key, ok = strings.CutPrefix(subject, head); ok {
			return key, IsToken(key) && subject != n.Requests()
		}
	}
	return "", false
}
