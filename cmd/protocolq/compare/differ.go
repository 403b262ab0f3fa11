// Two answers to one question, and how they differ.

// Package compare compares the answers of two ways to ask. It does not ask itself.
package compare

import (
	"cmp"
	"slices"
	"strings"

	"protocolq/messages"
)

// Kind is how two answers differ.
type Kind string

// The kinds, the gravest first.
const (
	Outcome Kind = "outcome" // one says signed, say, and the other that it is not
	Debit   Kind = "debit"   // may be debited
	Refund  Kind = "refund"  // may be refunded
	UserID  Kind = "user_id" // another account was meant
	Code    Kind = "code"    // the same outcome for another reason
	Unknown Kind = "unknown" // one knows, the other does not: asking again may show that they are equal
)

// Kinds lists every kind.
func Kinds() []Kind { return []Kind{Outcome, Debit, Refund, UserID, Code, Unknown} }

// Differ lists how two answers differ: not at all if both say the same or neither is known. A field
// that only one of them has is not a difference, because recorded answers often say less.
func Differ(a, b messages.Result) (kinds []Kind) {
	switch {
	case a.Outcome == messages.Unknown && b.Outcome == messages.Unknown:
		return nil
	case a.Outcome == messages.Unknown || b.Outcome == messages.Unknown:
		return []Kind{Unknown}
	case a.Outcome != "" && b.Outcome != "" && a.Outcome != b.Outcome:
		kinds = append(kinds, Outcome)
	}
	for kind, differ := range map[Kind]bool{
		Debit:  flagsDiffer(a.ChargeAgent, b.ChargeAgent),
		Refund: flagsDiffer(a.RefundCharge, b.RefundCharge),
		UserID: textsDiffer(a.UserID, b.UserID),
		Code:   textsDiffer(a.Code, b.Code) && len(kinds) == 0,
	} {
		if differ {
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return slices.Index(Kinds(), a) - slices.Index(Kinds(), b) })
	return kinds
}

func flagsDiffer(a, b *bool) bool  { return a != nil && b != nil && *a != *b }
func textsDiffer(a, b string) bool { return a != "" && b != "" && a != b }

// Empty reports whether an answer has nothing to compare.
func Empty(r messages.Result) bool { return Says(r) == "-" && r.UserID == "" }

// Says is what an answer says, in a few words.
func Says(r messages.Result) string {
	var words []string
	add := func(word string) {
		if word != "" {
			words = append(words, word)
		}
	}
	add(string(r.Outcome))
	add(may("debit", r.ChargeAgent))
	add(may("refund", r.RefundCharge))
	add(r.Code)
	return cmp.Or(strings.Join(words, ", "), "-")
}

func may(what string, on *bool) string {
	switch {
	case on == nil:
		return ""
	case *on:
		return what
	}
	return "no " + what
}
