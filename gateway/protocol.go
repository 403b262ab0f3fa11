// The typed query and its answer: the parameters that are sent and the fields that are read.

package gateway

import (
	"errors"
	"fmt"
	"strings"

	"protocolq/gateway/mapi"
)

// Query asks whether an account has signed the agreement for automatic debit and refund. It needs
// at least one of UserEmail and AccountNo; if both are given, both are sent.
type Query struct {
	Partner   string // one of Options.Partners
	UserEmail string // the account's login
	AccountNo string // the account's number
	Explain   bool   // fill Report.StringToSign and Report.Excerpt, which hold personal data
}

// Status is the content of a conclusive answer.
type Status string

// The three conclusive answers. "Could not ask" is not among them: that is an error.
const (
	Signed    Status = "signed"     // at least one of the two flags is T
	NotSigned Status = "not_signed" // the gateway said so, by both flags or by NO_SIGN_CUSTOMER
	Abnormal  Status = "abnormal"   // signed, but the agreement's state is not normal
)

// Answer is what the gateway said. With an error, Status is empty and the other fields hold what
// could be read, unless the signature was bad.
type Answer struct {
	Status       Status
	ChargeAgent  *bool // automatic debit; nil when not given
	RefundCharge *bool // automatic refund; nil when not given
	UserID       string
	IsSuccess    string // as on the wire: T, F, or P
	Code         string // of a failure, as on the wire
	Verification mapi.Verification
}

// params are the parameters of the query, unsigned. Empty ones are not sent.
func (q Query) params(cs mapi.Charset, accountParam string) mapi.Params {
	p := mapi.Params{
		{Name: "service", Value: Service},
		{Name: "partner", Value: q.Partner},
		{Name: "_input_charset", Value: cs.String()},
		{Name: "biz_type", Value: "10004"}, // the airline-ticket business, always
	}
	if q.UserEmail != "" {
		p = append(p, mapi.Param{Name: "user_email", Value: q.UserEmail})
	}
	if q.AccountNo != "" {
		p = append(p, mapi.Param{Name: accountParam, Value: q.AccountNo})
	}
	return p
}

// read makes an Answer from a body, or says why it is none.
func read(body []byte, sent mapi.Params, v mapi.Verifier, cs mapi.Charset) (Answer, error) {
	doc, err := mapi.ParseAnswer(body)
	if err != nil {
		return Answer{}, fail(CodeUnreadable, mapi.Temp, err)
	}
	verification, err := doc.Verify(v, cs)
	if err != nil {
		return Answer{Verification: verification}, fail(CodeBadSign, mapi.Temp, err)
	}
	if err := sameRequest(doc, sent); err != nil {
		return Answer{}, fail(CodeUnreadable, mapi.Temp, err)
	}
	a := Answer{Verification: verification}
	a.IsSuccess, a.UserID = word(doc, "is_success"), word(doc, "user_id")
	a.ChargeAgent, a.RefundCharge = flag(doc, "charge_agent"), flag(doc, "refund_charge")
	a.Code = printable(word(doc, "error"))
	a.Status, err = judge(a)
	return a, err
}

// judge decides what a readable answer says. Only an answer of the gateway makes a "no". An empty
// error together with success is an empty field of a template, and has no meaning.
func judge(a Answer) (Status, error) {
	switch failed := a.Code != ""; {
	case a.IsSuccess == "":
		return "", fail(CodeUnreadable, mapi.Temp, errors.New("no is_success"))
	case a.IsSuccess == "T" && !failed && a.ChargeAgent != nil && a.RefundCharge != nil:
		if *a.ChargeAgent || *a.RefundCharge {
			return Signed, nil
		}
		return NotSigned, nil
	case a.IsSuccess == "T" && !failed:
		return "", fail(CodeUnclear, mapi.Unlisted, errors.New("success, and a flag is missing or neither T nor F"))
	case a.IsSuccess == "F" && failed:
		return judgeCode(a.Code)
	case a.IsSuccess == "F":
		return "", fail(CodeUnclear, mapi.Unlisted, errors.New("failure without a code"))
	case a.IsSuccess == "T":
		return "", fail(CodeUnclear, mapi.Unlisted, errors.New("success and an error in one"))
	default:
		return "", fail(CodeUnclear, mapi.Unlisted, errors.New("is_success is neither T nor F"))
	}
}

func judgeCode(code string) (Status, error) {
	switch code {
	case "NO_SIGN_CUSTOMER":
		return NotSigned, nil
	case "NO_NORMAL_SIGN_CUSTOMER":
		return Abnormal, nil
	}
	known, _ := mapi.Lookup(code)
	if known.Class == mapi.Biz { // an answer that this program does not know is not a "no"
		known.Class = mapi.Unlisted
	}
	return "", fail(code, known.Class, nil)
}

// sameRequest compares the request that wrapped answers repeat. Case may differ, because the
// gateway changes the case of charsets and e-mails. Surrounding white space may differ, too.
func sameRequest(doc mapi.Answer, sent mapi.Params) error {
	for _, p := range sent {
		if p.Name == mapi.ParamSign || p.Name == mapi.ParamSignType {
			continue
		}
		if echoed, ok := doc.Request(p.Name); ok &&
			!strings.EqualFold(strings.TrimSpace(echoed), strings.TrimSpace(p.Value)) {
			return fmt.Errorf("an answer to another request: its %s differs", p.Name)
		}
	}
	return nil
}

// word returns a field without surrounding white space, which page templates leave there; "" if
// there is no such field. The signed text keeps the white space: see mapi.Answer.Signed.
func word(doc mapi.Answer, name string) string {
	v, _ := doc.Get(name)
	return strings.TrimSpace(v)
}

func flag(doc mapi.Answer, name string) *bool {
	switch word(doc, name) {
	case "T":
		return new(true)
	case "F":
		return new(false)
	}
	return nil
}

// printable keeps a whole page, or a terminal's escape sequence, from being a code.
func printable(code string) string {
	const most = 64
	clean := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, code)
	return clean[:min(len(clean), most)]
}
