// The words in a Result for the outcome of a query, and for the source of its answer.

package messages

// Outcome is the result of a query. The zero value is not an outcome.
type Outcome string

// The outcomes. Only the first three are the gateway's answer about the agreement.
const (
	Signed    Outcome = "signed"     // there is an agreement: for debit, refund or both, as the flags say
	NotSigned Outcome = "not_signed" // the gateway said that there is none
	Abnormal  Outcome = "abnormal"   // signed, but not in a normal state now
	Refused   Outcome = "refused"    // cannot be answered as asked; asking the same again gives the same
	Accepted  Outcome = "accepted"   // stored; the answer follows on reply_to
	Unknown   Outcome = "unknown"    // not known yet: never read it as a "no"
)

// Outcomes lists every outcome, in the order of their definition.
func Outcomes() []Outcome {
	return []Outcome{Signed, NotSigned, Abnormal, Refused, Accepted, Unknown}
}

// Valid reports whether o is one of the outcomes.
func (o Outcome) Valid() bool {
	switch o {
	case Signed, NotSigned, Abnormal, Refused, Accepted, Unknown:
		return true
	}
	return false
}

// Conclusive reports whether o is the gateway's answer about the agreement.
func (o Outcome) Conclusive() bool { return o == Signed || o == NotSigned || o == Abnormal }

// Source is the source of an answer. The zero value means that it is not known, as in a refusal of
// our own.
type Source string

// The sources.
const (
	Asked      Source = "asked"      // this ask made the call
	Joined     Source = "joined"     // waited for a call in flight
	Remembered Source = "remembered" // answered from the memory of an earlier call
)

// Valid reports whether s is one of the sources.
func (s Source) Valid() bool { return s == Asked || s == Joined || s == Remembered }
