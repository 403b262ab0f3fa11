package lookup

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"unsafe"

	"protocolq/messages"
)

func TestQuestion(t *testing.T) {
	for typed, want := range map[string]struct {
		email, account string
		ok             bool
	}{
		"zhang@example.com":                    {"zhang@example.com", "", true},
		"  zhang@example.com\t":                {"zhang@example.com", "", true},
		"zhang\uff20example.com":               {"zhang@example.com", "", true}, // as a Chinese keyboard writes it
		"13800138000":                          {"13800138000", "", true},
		"138 0013 8000":                        {"13800138000", "", true},
		"20880000000000010156":                 {"", "20880000000000010156", true},
		"2088 0000 0000 0001 0156":             {"", "20880000000000010156", true},
		"\uff12\uff10\uff18\uff18000000000001": {"", "2088000000000001", true},
		"zhang":                                {"zhang", "", false},
		"123456789012345678901234":             {"", "123456789012345678901234", false},
		"a b@example.com":                      {"a b@example.com", "", false},
		"<script>alert(1)</script>":            {"<script>alert(1)</script>", "", false},
	} {
		q, err := question(typed)
		if q.UserEmail != want.email || q.AccountNo != want.account || (err == nil) != want.ok {
			t.Errorf("%q: e-mail %q, account %q, %v", typed, q.UserEmail, q.AccountNo, err)
		}
	}
	for _, empty := range []string{"", " ", "\u3000"} {
		if _, err := question(empty); !errors.Is(err, errEmpty) {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

// A question is kept for hours, but not the form that it was cut out of.
func TestQuestionHoldsNoForm(t *testing.T) {
	for _, typed := range []string{"zhang@example.com", "2088000000000001"} {
		form := typed + strings.Repeat(" ", 1000)
		q, err := question(form)
		if err != nil {
			t.Fatal(err)
		}
		if kept := q.UserEmail + q.AccountNo; kept != typed || unsafe.StringData(cmp.Or(q.UserEmail, q.AccountNo)) == unsafe.StringData(form) {
			t.Errorf("%q is still part of its form", kept)
		}
	}
}

// An unknown answer is never shown as a "no".
func TestRead(t *testing.T) {
	yes, no := true, false
	for name, tt := range map[string]struct {
		r          messages.Result
		word, tone string
	}{
		"both":          {messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, RefundCharge: &yes}, "both", "good"},
		"debit":         {messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, RefundCharge: &no}, "debit", "good"},
		"refund":        {messages.Result{Outcome: messages.Signed, RefundCharge: &yes}, "refund", "good"},
		"neither":       {messages.Result{Outcome: messages.Signed, ChargeAgent: &no, RefundCharge: &no}, "neither", "warn"},
		"flags missing": {messages.Result{Outcome: messages.Signed}, "untold", "warn"},
		"not signed":    {messages.Result{Outcome: messages.NotSigned, Code: "NO_SIGN_CUSTOMER"}, "not_signed", "bad"},
		"abnormal":      {messages.Result{Outcome: messages.Abnormal}, "abnormal", "warn"},
		"no account":    {messages.Result{Outcome: messages.Refused, Code: "ILLEGAL_EMAIL"}, "nobody", "warn"},
		"refused":       {messages.Result{Outcome: messages.Refused, Code: messages.NotAllowed}, "refused", "idle"},
		"unknown":       {messages.Result{Outcome: messages.Unknown, Code: "SYSTEM_ERROR", Retryable: true}, "unknown", "idle"},
		"new outcome":   {messages.Result{Outcome: "postponed"}, "unknown", "idle"},
		"nothing":       {messages.Result{}, "unknown", "idle"},
		"no worker":     {unreached(), "unknown", "idle"},
	} {
		if a := Read(tt.r); a.Word != tt.word || a.Tone != tt.tone {
			t.Errorf("%s: %s, %s", name, a.Word, a.Tone)
		}
	}
}
