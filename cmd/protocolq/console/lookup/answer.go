// A Result as the page says it: what it means to those who serve the customer.

package lookup

import (
	"time"

	"protocolq/messages"
	"protocolq/worker"
)

// Answer is what is shown of one look-up.
type Answer struct {
	// Word is the key of the title, "answer."+Word, and of what to do, with ".do".
	Word string
	// Tone is the colour: good, warn, bad or idle. Only Alipay's own no is bad.
	Tone string
	// Flags tells whether the two tiles are shown.
	Flags         bool
	Debit, Refund *bool
	// Wait is how long asking again is of no use yet; 0: not told.
	Wait time.Duration
	// Hopeless tells that asking again does not help before somebody has looked.
	Hopeless bool
	// Remembered tells that Alipay was asked earlier than this look-up.
	Remembered bool
}

// Read decides what a Result means. What Alipay has not said is unknown, never a no.
func Read(r messages.Result) Answer {
	a := Answer{Debit: r.ChargeAgent, Refund: r.RefundCharge, Remembered: r.Source == messages.Remembered}
	switch r.Outcome {
	case messages.Signed:
		a.Flags = true
		a.Word, a.Tone = signed(r.ChargeAgent, r.RefundCharge)
	case messages.NotSigned:
		a.Word, a.Tone = "not_signed", "bad"
	case messages.Abnormal:
		a.Word, a.Tone = "abnormal", "warn"
	case messages.Refused:
		a.Word, a.Tone = "refused", "idle"
		if r.Code == "ILLEGAL_EMAIL" || r.Code == "ILLEGAL_ACCOUNT_NO" {
			a.Word, a.Tone = "nobody", "warn"
		}
	default:
		a.Word, a.Tone = "unknown", "idle"
		a.Wait = time.Duration(r.RetryAfterMs) * time.Millisecond
		a.Hopeless = !r.Retryable
	}
	return a
}

func signed(debit, refund *bool) (word, tone string) {
	yes := func(b *bool) bool { return b != nil && *b }
	switch {
	case yes(debit) && yes(refund):
		return "both", "good"
	case yes(debit):
		return "debit", "good"
	case yes(refund):
		return "refund", "good"
	case debit == nil && refund == nil:
		return "untold", "warn"
	}
	return "neither", "warn"
}

// unreached is the Result of a look-up that nobody answered.
func unreached() messages.Result {
	return messages.Result{V: messages.Version, Outcome: messages.Unknown, Retryable: true}
}

// meaning is what a code says to operators, in one language.
func meaning(code string, chinese bool) (means, do string) {
	if code == "" {
		return "", ""
	}
	w, _ := worker.Lookup(code)
	if chinese {
		return w.MeaningZH, w.DoZH
	}
	return w.MeaningEN, w.DoEN
}
