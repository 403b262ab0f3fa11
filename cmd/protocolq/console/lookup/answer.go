// A Result as the page shows it: what it means to customer service.

package lookup

import (
	"time"

	"protocolq/messages"
	"protocolq/worker"
)

// Answer is what the page shows of one look-up.
type Answer struct {
	// Word makes the key of the title, "answer."+Word, and of what to do, "answer."+Word+".do".
	Word string
	// Tone is the colour: good, warn, bad or idle. Only a "no" of Alipay itself is bad.
	Tone string
	// Flags reports whether the two tiles are shown.
	Flags         bool
	Debit, Refund *bool
	// Wait is how long it is of no use to ask again; 0: not known.
	Wait time.Duration
	// Hopeless says that asking again does not help until somebody has found the cause.
	Hopeless bool
	// Remembered says that Alipay was asked before this look-up.
	Remembered bool
}

// Read decides what a Result means. If Alipay has not answered, the answer is unknown, never a
// "no".
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

// unreached is the Result of a look-up that no worker answered.
func unreached() messages.Result {
	return messages.Result{V: messages.Version, Outcome: messages.Unknown, Retryable: true}
}

// meaning is what a code means to operators, in one language.
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
