// The names of the streams and consumers, and what each captures.

package messages

// Kind is the last part of a stream's name.
type Kind string

// The streams, and what each is for.
const (
	Requests Kind = "REQUESTS" // queries that wait for their answer
	Waiting  Kind = "WAITING"  // submitted queries that wait for a cool-down
	State    Kind = "STATE"    // one record a key
	Partners Kind = "PARTNERS" // records the fleet shares about a partner
	Replies  Kind = "REPLIES"  // durable replies
	Events   Kind = "EVENTS"   // one event a run
	Log      Kind = "LOG"      // lines for the query log
	Dead     Kind = "DEAD"     // what could not be answered
)

// Kinds lists every stream.
func Kinds() []Kind {
	return []Kind{Requests, Waiting, State, Partners, Replies, Events, Log, Dead}
}

// The durable consumers: two of Requests, so that a backlog of the second never holds up an asker who awaits, one of Waiting and one of Log.
const (
	ConsumerAsked     = "asked"
	ConsumerSubmitted = "submitted"
	ConsumerWaiting   = "waiting"  // the one of Waiting
	ConsumerRecorder  = "recorder" // the one of Log
)

// Stream is the name of a stream: the prefix in capitals with _ for each dot, then the kind.
func (n Names) Stream(k Kind) string { return n.stream + string(k) }

// Captures lists the subjects a stream captures; nil for an unknown kind. No two streams share a subject, and none captures Query().
func (n Names) Captures(k Kind) []string {
	switch k {
	case Requests:
		return []string{n.requestAll, n.submit, n.submitAll}
	case Waiting:
		return []string{n.wait + "*"}
	case State:
		return []string{n.stateAll}
	case Partners:
		return []string{n.partner + "*.*"}
	case Replies:
		return []string{n.reply + ">"}
	case Events:
		return []string{n.event + "*.*"}
	case Log:
		return []string{n.log + ">"}
	case Dead:
		return []string{n.dead + "*"}
	}
	return nil
}

// Filter lists the subjects a consumer reads; nil for a name that is none.
func (n Names) Filter(consumer string) []string {
	switch consumer {
	case ConsumerAsked:
		return []string{n.requestAll}
	case ConsumerSubmitted:
		return []string{n.submit, n.submitAll}
	case ConsumerWaiting:
		return n.Captures(Waiting)
	case ConsumerRecorder:
		return n.Captures(Log)
	}
	return nil
}

// Republish is from which subjects to which the records of keys are republished, as a stream's setting spells it.
func (n Names) Republish() (source, destination string) {
	return n.stateAll, n.changed + "{{wildcard(1)}}"
}
