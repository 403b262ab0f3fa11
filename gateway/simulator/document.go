// Faults of the document: HTTP is correct, but the XML must not be believed, or only with care.

package simulator

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"protocolq/gateway/mapi"
)

// Names whose bytes are not valid in the other charset, utf-8 or GBK.
const (
	oddInGBK  = "王小明" // 9 bytes of utf-8: the last cannot begin a GBK pair before "<"
	oddInUTF8 = "张三"
)

// rewrite writes the true answer, changed. The call log records no answer for it.
func (st *stage) rewrite(change func(*document)) {
	d, err := st.s.document(st.q, st.scene.reply)
	if err != nil {
		st.s.logger.Error("answer not rendered", "err", err)
		drop(st)
	}
	change(&d)
	body, err := d.bytes()
	if err != nil {
		st.s.logger.Error("answer not rendered", "err", err)
		drop(st)
	}
	writeXML(st.w, body)
}

// instead writes another answer than that of the scenario.
func (st *stage) instead(r reply) { st.s.tell(st.w, st.call, st.q, r) }

func systemError(st *stage) { st.instead(scenes["system-error"]) }

func notYet(st *stage) { st.instead(scenes["p"]) }

func signedAnswer(st *stage) {
	r := st.scene.reply
	r.signed = true
	st.instead(r)
}

// badSign signs another text: the signature has the right form but is wrong.
func badSign(st *stage) {
	key := st.q.partner.AnswerKey
	sign, err := key.Sign(mapi.Params{{Name: "somebody", Value: "else"}}, st.q.charset)
	if err != nil {
		drop(st)
	}
	st.rewrite(func(d *document) {
		d.inside += element("sign", sign) + element("sign_type", string(key.SignType()))
	})
}

// The two label faults give a true answer whose bytes fit another charset. A client that tries that
// charset may believe the answer.
func gbkLabel(st *stage)  { st.mislabel("GBK", "utf-8", oddInGBK) }
func utf8Label(st *stage) { st.mislabel("utf-8", "gbk", oddInUTF8) }

func (st *stage) mislabel(label, really, name string) {
	st.rewrite(func(d *document) {
		d.label = label
		d.charset, _ = mapi.ParseCharset(really)
		d.inside += element("user_name", name)
	})
	st.call.told(st.scene.reply)
}

func utf16Answer(st *stage) {
	text := `<?xml version="1.0" encoding="utf-16"?><alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>T</refund_charge></alipay>`
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	writeXML(st.w, out)
}

func duplicate(st *stage) {
	st.rewrite(func(d *document) { d.inside = element("is_success", "F") + d.inside })
}

func secondRoot(st *stage) {
	body := st.body()
	writeXML(st.w, append(body, `<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`...))
}

func wrongRoot(st *stage) { st.rewrite(func(d *document) { d.root = "response" }) }

func prefixed(st *stage) {
	st.rewrite(func(d *document) {
		d.inside += `<a:is_success xmlns:a="urn:a">F</a:is_success>`
	})
}

func doctype(st *stage) {
	body := st.body()
	at := bytes.Index(body, []byte("<alipay>"))
	declared := string(body[:at]) + `<!DOCTYPE alipay [<!ENTITY t "T">]>` +
		strings.Replace(string(body[at:]), "<charge_agent>T<", "<charge_agent>&t;<", 1)
	writeXML(st.w, []byte(declared))
}

func truncated(st *stage) {
	body := st.body()
	writeXML(st.w, body[:len(body)*2/3])
}

// garbage is the same for the same call, and never text.
func garbage(st *stage) {
	var out []byte
	for i := range uint64(64) {
		out = binary.LittleEndian.AppendUint64(out, draw(st.s.options.Seed, i, "garbage", st.q.key)|0x8000)
	}
	writeXML(st.w, out)
}

func empty(st *stage) { writeXML(st.w, nil) }

// otherAccount answers in the wrapped form, whose echo of the request names another account.
func otherAccount(st *stage) {
	other := st.q
	other.email, other.account = "somebody.else@example.com", ""
	r := st.scene.reply
	r.wrapped, r.signed = true, true
	body, err := st.s.render(other, r)
	if err != nil {
		drop(st)
	}
	writeXML(st.w, body)
}
