// A Result shown to a person, and as an exit code.

package ask

import (
	"io"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
	"protocolq/worker"
)

// exitOf is the exit code that goes with an outcome.
func exitOf(o messages.Outcome) int {
	switch o {
	case messages.Signed, messages.Accepted:
		return cli.ExitOK
	case messages.NotSigned, messages.Abnormal:
		return cli.ExitNotSigned
	case messages.Refused:
		return cli.ExitRefused
	case messages.Unknown:
		return cli.ExitUnknown
	}
	return cli.ExitOther
}

// tellResult prints r, for a person with additional lines, and gives the error that carries its
// exit code.
func tellResult(w io.Writer, out cli.Output, r messages.Result, more ...[2]string) error {
	if out == cli.JSON {
		if err := cli.PrintJSON(w, r); err != nil {
			return err
		}
		return cli.Exit(exitOf(r.Outcome))
	}
	t := cli.NewTable(w)
	for _, line := range append(resultLines(r, time.Now()), more...) {
		if line[1] != "" {
			t.Row(line[0], line[1])
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return cli.Exit(exitOf(r.Outcome))
}

// resultLines gives name and value of each line; a field without a value has no line.
func resultLines(r messages.Result, now time.Time) [][2]string {
	var lines [][2]string
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, [2]string{name, value})
		}
	}
	add("outcome", string(r.Outcome))
	add("debit", cli.YesNo(r.ChargeAgent))
	add("refund", cli.YesNo(r.RefundCharge))
	add("user id", r.UserID)
	meaning, advice := explainResult(r)
	add("code", r.Code)
	add("meaning", meaning)
	add("what to do", advice)
	if r.Retryable && r.RetryAfterMs > 0 { // otherwise it only says how long the answer is remembered
		add("ask again", "in "+cli.Millis(r.RetryAfterMs).String())
	}
	add("source", source(r))
	add("age", age(r, now))
	add("signature", cli.Signature(r.Verified))
	add("partner", r.Partner)
	add("run", r.Run)
	add("id", r.ID)
	return lines
}

// explainResult says what a result means and what to do about it: by its own message, which says
// more (such as the wrong field), or else by its code.
func explainResult(r messages.Result) (meaning, advice string) {
	if r.Message == "" && r.Code != "" {
		words, _ := worker.Lookup(r.Code)
		return words.MeaningEN, words.DoEN
	}
	meaning, advice, _ = strings.Cut(r.Message, "; ")
	return meaning, advice
}

func source(r messages.Result) string {
	if r.Source == "" {
		return ""
	}
	if r.Attempts == 0 {
		return string(r.Source)
	}
	return string(r.Source) + ", " + cli.Counted(int64(r.Attempts), "call", "calls")
}

// age says how long ago the gateway was asked, and until when the answer is remembered.
func age(r messages.Result, now time.Time) string {
	if r.AskedAtMs == 0 {
		return ""
	}
	text := cli.Roundly(max(now.Sub(time.UnixMilli(r.AskedAtMs)), 0))
	if left := time.UnixMilli(r.ExpiresAtMs).Sub(now); r.ExpiresAtMs > 0 && left > 0 {
		text += ", remembered for " + cli.Roundly(left)
	}
	return text
}
