// The XML of the gateway's answers, in the charset of the request.

package simulator

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"protocolq/gateway/mapi"
)

// reply is one true answer. Empty fields are not in the document.
type reply struct {
	name                      string // of the scenario, for the call log
	isSuccess, charge, refund string
	code                      string // of a failure
	wrapped                   bool   // in request/response elements, like other services
	signed                    bool
}

// conclusive reports whether the answer settles the question: by both flags, or by one of the two
// codes that are answers.
func (a reply) conclusive() bool {
	c, _ := mapi.Lookup(a.code)
	return a.isSuccess == "T" && a.charge != "" && a.refund != "" || a.code != "" && c.Class == mapi.Biz
}

// label is the answer in the call log: the code, or the scenario.
func (a reply) label() string {
	if a.code != "" {
		return a.code
	}
	return a.name
}

// document is an answer before it is written; the faults change it.
type document struct {
	label   string // encoding in the declaration
	root    string
	inside  string // as text, under the root
	charset mapi.Charset
}

func (d document) bytes() ([]byte, error) {
	text := `<?xml version="1.0" encoding="` + d.label + `"?><` + d.root + `>` + d.inside + `</` + d.root + `>`
	for i := range len(text) {
		if text[i] >= 0x80 {
			return d.charset.Encode(text)
		}
	}
	return []byte(text), nil
}

func (s *Simulator) render(q question, a reply) ([]byte, error) {
	d, err := s.document(q, a)
	if err != nil {
		return nil, err
	}
	return d.bytes()
}

// document makes the answer's document. A failure is never signed: the gateway does not sign them
// either.
func (s *Simulator) document(q question, a reply) (document, error) {
	d := document{label: "utf-8", root: "alipay", charset: q.charset}
	if !q.charset.IsZero() {
		d.label = q.charset.String()
	}
	if a.code != "" {
		d.inside = `<is_success>F</is_success><error>` + a.code + `</error>`
		return d, nil
	}
	leaves := s.leavesOf(q, a)
	sign := ""
	if a.signed || q.partner != nil && q.partner.SignAnswers {
		value, err := q.partner.AnswerKey.Sign(leaves, q.charset)
		if err != nil {
			return d, fmt.Errorf("sign answer: %w", err)
		}
		sign = element("sign", value) + element("sign_type", string(q.partner.AnswerKey.SignType()))
	}
	d.inside = element("is_success", a.isSuccess)
	if a.wrapped {
		d.inside += s.echo(q) + `<response><query>` + elements(leaves) + `</query></response>` + sign
	} else {
		d.inside += elements(leaves) + sign
	}
	return d, nil
}

func (s *Simulator) leavesOf(q question, a reply) mapi.Params {
	var leaves mapi.Params
	for _, p := range []mapi.Param{{Name: "charge_agent", Value: a.charge}, {Name: "refund_charge", Value: a.refund}} {
		if p.Value != "" {
			leaves = append(leaves, p)
		}
	}
	if a.isSuccess == "T" {
		leaves = append(leaves, mapi.Param{Name: "user_id", Value: userID(q)})
	}
	return leaves
}

// userID is 16 digits, begins with 2088, and is always the same for an account.
func userID(q question) string {
	if len(q.account) == 20 && strings.HasPrefix(q.account, "2088") {
		return q.account[:16]
	}
	rest := strconv.FormatUint(draw(0, 0, "user", q.key)%1e12, 10)
	return "2088" + strings.Repeat("0", 12-len(rest)) + rest
}

// echo repeats the request, as the wrapped form does.
func (s *Simulator) echo(q question) string {
	var b strings.Builder
	b.WriteString("<request>")
	for _, p := range []mapi.Param{
		{Name: "service", Value: "query_customer_protocol"}, {Name: "partner", Value: q.partnerID},
		{Name: "_input_charset", Value: q.charset.String()}, {Name: "biz_type", Value: "10004"},
		{Name: "user_email", Value: q.email}, {Name: s.options.AccountParam, Value: q.account},
	} {
		if p.Value != "" {
			b.WriteString(`<param name="` + p.Name + `">` + escaper.Replace(p.Value) + `</param>`)
		}
	}
	b.WriteString("</request>")
	return b.String()
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func element(name, value string) string { return "<" + name + ">" + value + "</" + name + ">" }

func elements(leaves mapi.Params) string {
	var b strings.Builder
	for _, p := range leaves {
		b.WriteString(element(p.Name, p.Value))
	}
	return b.String()
}

func writeXML(w http.ResponseWriter, body []byte) {
	// Assigned, not Set: this code runs for every call, and the name is canonical already.
	w.Header()["Content-Type"] = xmlType
	_, _ = w.Write(body) // the request's context shows that a client has left
}

var xmlType = []string{"text/xml"}
