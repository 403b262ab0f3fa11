// Every code that can occur has an entry, and no entry contradicts itself.

package explain_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"protocolq/cmd/protocolq/explain"
	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
)

func TestEveryCodeHasAnEntry(t *testing.T) {
	want := append(messages.Codes(), gateway.CodeTimeout, gateway.CodeUnreachable, gateway.CodeTLS, gateway.CodeCut, gateway.CodeStray,
		gateway.CodeRedirect, gateway.CodeUnreadable, gateway.CodeBadSign, gateway.CodeUnclear, gateway.CodeNoPartner,
		gateway.CodeCannotSign, gateway.CodeCharset, gateway.CodeNoAccount, "GATEWAY_HTTP_429", "GATEWAY_HTTP_503")
	for _, c := range mapi.Codes() {
		want = append(want, c.Name)
	}
	have := explain.Codes()
	for _, code := range want {
		if !slices.Contains(have, code) {
			t.Errorf("%s is not in the list", code)
		}
	}
	if !slices.IsSorted(have) || len(slices.Compact(slices.Clone(have))) != len(have) {
		t.Errorf("the list is not sorted, or names a code twice: %q", have)
	}
}

func TestEntriesAreWhole(t *testing.T) {
	actors := map[explain.Actor]int{}
	narrow := regexp.MustCompile(`\p{Han}[,:;?!()]|[,:;?!(]\p{Han}`)
	for _, e := range append(explain.All(), explain.Find("GATEWAY_HTTP_418"), explain.Find("SOMETHING_NEW")) {
		if e.Known == (e.Code == "SOMETHING_NEW") {
			t.Errorf("%s: known %v", e.Code, e.Known)
		}
		for _, en := range []string{e.MeaningEN, e.DoEN, e.WhoEN, e.AgainEN} {
			if en == "" || strings.ContainsFunc(en, func(r rune) bool { return r > unicode.MaxASCII }) {
				t.Errorf("%s: %q is not English", e.Code, en)
			}
		}
		for _, zh := range []string{e.MeaningZH, e.DoZH, e.WhoZH, e.AgainZH} {
			if !strings.ContainsFunc(zh, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
				t.Errorf("%s: %q is not Chinese", e.Code, zh)
			}
			if narrow.MatchString(zh) {
				t.Errorf("%s: %q has narrow punctuation", e.Code, zh)
			}
		}
		if strings.HasPrefix(e.AgainEN, "yes") != e.Retryable || strings.HasPrefix(e.AgainZH, "可以") != e.Retryable {
			t.Errorf("%s: retryable is %v, and the words say %q, %q", e.Code, e.Retryable, e.AgainEN, e.AgainZH)
		}
		actors[e.Who]++
	}
	for _, who := range []explain.Actor{explain.Nobody, explain.Asker, explain.Operator, explain.Partner, explain.Author} {
		if actors[who] == 0 {
			t.Errorf("no code is for %s", who)
		}
	}
}

func TestFind(t *testing.T) {
	for code, want := range map[string]struct {
		who     explain.Actor
		outcome messages.Outcome
	}{
		"NO_SIGN_CUSTOMER":        {explain.Nobody, messages.NotSigned},
		"NO_NORMAL_SIGN_CUSTOMER": {explain.Nobody, messages.Abnormal},
		"ILLEGAL_EMAIL":           {explain.Asker, messages.Refused},
		"ILLEGAL_SIGN":            {explain.Partner, messages.Refused},
		"ILLEGAL_SERVICE":         {explain.Author, messages.Refused},
		"SYSTEM_ERROR":            {explain.Nobody, messages.Unknown},
		"GATEWAY_TIMEOUT":         {explain.Operator, messages.Unknown},
		"PARTNER_UNKNOWN":         {explain.Operator, messages.Refused},
		"CHARSET_CANNOT_HOLD":     {explain.Asker, messages.Refused},
		"KEY_CONFLICT":            {explain.Asker, messages.Refused},
		"OVERLOADED":              {explain.Operator, messages.Unknown},
		"PARTNER_HALTED":          {explain.Partner, messages.Unknown},
		"NEW_AT_THE_GATEWAY":      {explain.Operator, messages.Unknown},
	} {
		if e := explain.Find(code); e.Who != want.who || e.Outcome != want.outcome {
			t.Errorf("%s: %s, %s; want %s, %s", code, e.Who, e.Outcome, want.who, want.outcome)
		}
	}
}
