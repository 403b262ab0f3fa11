// Which pairs of answers differ, and which exit code that ends with.

package compare_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/compare"
	"protocolq/messages"
)

func TestDiffer(t *testing.T) {
	yes, no := true, false
	signed := messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, RefundCharge: &yes, UserID: "2088102000000001"}
	with := func(change func(*messages.Result)) messages.Result {
		r := signed
		change(&r)
		return r
	}
	unknown := messages.Result{Outcome: messages.Unknown, Code: "TIMEOUT"}
	for name, tt := range map[string]struct {
		a, b messages.Result
		want []compare.Kind
	}{
		"same":               {signed, with(func(r *messages.Result) { r.Run, r.Source, r.Attempts = "r", messages.Asked, 3 }), nil},
		"recorded says less": {messages.Result{ChargeAgent: &yes}, signed, nil},
		"outcome":            {signed, messages.Result{Outcome: messages.NotSigned, Code: "NO_SIGN_CUSTOMER"}, []compare.Kind{compare.Outcome}},
		"outcome and flags":  {signed, messages.Result{Outcome: messages.NotSigned, ChargeAgent: &no, RefundCharge: &no}, []compare.Kind{compare.Outcome, compare.Debit, compare.Refund}},
		"outcome, no code":   {messages.Result{Outcome: messages.Abnormal, Code: "A"}, messages.Result{Outcome: messages.NotSigned, Code: "B"}, []compare.Kind{compare.Outcome}},
		"debit":              {signed, with(func(r *messages.Result) { r.ChargeAgent = &no }), []compare.Kind{compare.Debit}},
		"refund and account": {signed, with(func(r *messages.Result) { r.RefundCharge, r.UserID = &no, "2088102000000002" }), []compare.Kind{compare.Refund, compare.UserID}},
		"code":               {messages.Result{Outcome: messages.Refused, Code: "A"}, messages.Result{Outcome: messages.Refused, Code: "B"}, []compare.Kind{compare.Code}},
		"one knows":          {signed, unknown, []compare.Kind{compare.Unknown}},
		"recorded knows":     {unknown, messages.Result{ChargeAgent: &no}, []compare.Kind{compare.Unknown}},
		"nobody knows":       {unknown, messages.Result{Outcome: messages.Unknown, Code: "DEADLINE"}, nil},
	} {
		if got := compare.Differ(tt.a, tt.b); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		if got := compare.Differ(tt.b, tt.a); !slices.Equal(got, tt.want) {
			t.Errorf("%s, the other way round: %v, want %v", name, got, tt.want)
		}
	}
}

func TestSums(t *testing.T) {
	var s compare.Sums
	for _, step := range []struct {
		then func()
		exit int
		text string
	}{
		{func() { s.Lines = 1200; s.Add(nil) }, cli.ExitOK, "1,200 lines: same 1, in 3s"},
		{func() { s.Unasked = 2 }, cli.ExitRefused, "same 1, could not be asked 2"},
		{func() { s.Add([]compare.Kind{compare.Unknown}) }, cli.ExitUnknown, "same 1, unknown 1"},
		{func() { s.Unanswered = 1 }, cli.ExitNoAnswer, "no answer 1"},
		{func() { s.Add([]compare.Kind{compare.Outcome, compare.Debit}) }, cli.ExitOther, "same 1, outcome 1, debit 1, unknown 1"},
	} {
		step.then()
		if text := s.Text(3 * time.Second); s.Exit() != step.exit || !strings.Contains(text, step.text) {
			t.Errorf("exit %d, want %d: %s", s.Exit(), step.exit, text)
		}
	}
}

func TestSays(t *testing.T) {
	yes, no := true, false
	for want, r := range map[string]messages.Result{
		"signed, debit, no refund": {Outcome: messages.Signed, ChargeAgent: &yes, RefundCharge: &no},
		"not_signed, X":            {Outcome: messages.NotSigned, Code: "X"},
		"-":                        {},
	} {
		if got := compare.Says(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if compare.Empty(r) != (want == "-") {
			t.Errorf("%s: is it empty?", want)
		}
	}
}
