// A Result shown to a person, and as an exit code.
package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"protocolq/messages"
	"protocolq/worker"
)

// exitOf is the exit code that goes with an outcome.
func exitOf(o messages.Outcome) int {
	switch o {
	case messages.Signed, messages.Accepted:
		return exitOK
	case messages.NotSigned, messages.Abnormal:
		return exitNotSigned
	case messages.Refused:
		return exitRefused
	case messages.Unknown:
		return exitUnknown
	}
	return exitOther
}

// tellResult prints r and gives the error that carries its exit code.
func tellResult(w io.Writer, out output, r messages.Result) error {
	if out == asJSON {
		if err := printJSON(w, r); err != nil {
			return err
		}
		return exitWith(exitOf(r.Outcome))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range resultLines(r, time.Now()) {
		fmt.Fprintf(t, "%s\t%s\n", line[0], printable(line[1]))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return exitWith(exitOf(r.Outcome))
}

// resultLines gives name and value of each line worth reading; what was not told has no line.
func resultLines(r messages.Result, now time.Time) [][2]string {
	var lines [][2]string
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, [2]string{name, value})
		}
	}
	add("outcome", string(r.Outcome))
	add("debit", yesNo(r.ChargeAgent))
	add("refund", yesNo(r.RefundCharge))
	add("user id", r.UserID)
	meaning, advice := explain(r)
	add("code", r.Code)
	add("meaning", meaning)
	add("what to do", advice)
	if r.Retryable && r.RetryAfterMs > 0 { // else it only says how long the answer is remembered
		add("ask again", "in "+ms(r.RetryAfterMs).String())
	}
	add("source", source(r))
	add("age", age(r, now))
	add("verified", r.Verified)
	add("partner", r.Partner)
	add("run", r.Run)
	add("id", r.ID)
	return lines
}

// explain gives what a result means and what to do about it: in its own words, which know more (the
// field at fault, say), else in those of its code.
func explain(r messages.Result) (meaning, advice string) {
	if r.Message == "" && r.Code != "" {
		words, _ := worker.Lookup(r.Code)
		return words.MeaningEN, words.DoEN
	}
	meaning, advice, _ = strings.Cut(r.Message, "; ")
	return meaning, advice
}

func yesNo(b *bool) string {
	switch {
	case b == nil:
		return ""
	case *b:
		return "yes"
	}
	return "no"
}

func source(r messages.Result) string {
	if r.Source == "" {
		return ""
	}
	switch r.Attempts {
	case 0:
		return string(r.Source)
	case 1:
		return string(r.Source) + ", 1 call"
	}
	return fmt.Sprintf("%s, %d calls", r.Source, r.Attempts)
}

// age says how long ago the gateway was asked, and until when the answer is remembered.
func age(r messages.Result, now time.Time) string {
	if r.AskedAtMs == 0 {
		return ""
	}
	text := roundly(max(now.Sub(time.UnixMilli(r.AskedAtMs)), 0))
	if left := time.UnixMilli(r.ExpiresAtMs).Sub(now); r.ExpiresAtMs > 0 && left > 0 {
		text += ", remembered for " + roundly(left)
	}
	return text
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// roundly writes a duration as a person would say it.
func roundly(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return short(d.Round(time.Minute))
	case d >= time.Second:
		return short(d.Round(time.Second))
	}
	return d.Round(time.Millisecond).String()
}
