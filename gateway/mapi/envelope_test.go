// Answers that are read, and documents that only look like answers.

package mapi_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

const (
	flatAnswer = `<?xml version="1.0" encoding="utf-8"?>
<alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>F</refund_charge></alipay>`
	wrappedAnswer = `<?xml version="1.0" encoding="GBK"?>
<alipay>
 <is_success>T</is_success>
 <request><param name="_input_charset">UTF-8</param><param name="service">query_customer_protocol</param></request>
 <response><protocol><charge_agent>T</charge_agent><list><item><a>1</a></item><item><a>2</a></item></list></protocol></response>
 <sign>x</sign><sign_type>MD5</sign_type>
</alipay>
`
)

func TestParseAnswer(t *testing.T) {
	type fields map[string]string
	tests := []struct {
		name, xml, encoding string
		fellBack            bool
		want                fields
	}{
		{"flat", flatAnswer, "utf-8", false, fields{"is_success": "T", "charge_agent": "T", "refund_charge": "F"}},
		{"failure", `<alipay><is_success>F</is_success><error>ILLEGAL_SIGN</error></alipay>`, "utf-8", false,
			fields{"is_success": "F", "error": "ILLEGAL_SIGN"}},
		{"wrapped", wrappedAnswer, "GBK", false, fields{"is_success": "T", "charge_agent": "T", "sign": "x"}},
		{"under response itself", `<alipay><response><charge_agent>T</charge_agent><refund_charge>F</refund_charge></response></alipay>`,
			"utf-8", false, fields{"charge_agent": "T", "refund_charge": "F"}},
		{"empty response", `<alipay><is_success>T</is_success><response/></alipay>`, "utf-8", false, fields{"is_success": "T"}},
		{"single quotes, standalone", "<?xml version='1.0'  encoding = 'Utf-8' standalone='yes' ?><alipay/>", "Utf-8", false, fields{}},
		{"byte order mark", "\xEF\xBB\xBF" + flatAnswer, "utf-8", false, fields{"is_success": "T"}},
		{"byte order mark on a gbk label", "\xEF\xBB\xBF<?xml version=\"1.0\" encoding=\"gbk\"?><alipay><a>机</a></alipay>", "gbk", true, fields{"a": "机"}},
		{"space around", "\r\n" + flatAnswer + "\r\n ", "utf-8", false, fields{"is_success": "T"}},
		{"entities", `<alipay><a>&lt;&amp;&gt;&quot;&apos;&#26426;&#x7968;</a></alipay>`, "utf-8", false, fields{"a": `<&>"'机票`}},
		{"CDATA", `<alipay><a><![CDATA[<b>&]]></a></alipay>`, "utf-8", false, fields{"a": "<b>&"}},
		{"CDATA on a line of its own", "<alipay><a>\n <![CDATA[<b>]]>\r\n</a><b> <![CDATA[]]></b></alipay>", "utf-8", false,
			fields{"a": "\n <b>\n", "b": " "}}, // XML reads line ends as \n
		{"what looks like CDATA", `<alipay><a> <![CDATA[&lt;![CDATA[ ]]> </a><b>&lt;![CDATA[T]]&gt;</b></alipay>`, "utf-8", false,
			fields{"a": " &lt;![CDATA[  ", "b": "<![CDATA[T]]>"}},
		{"CDATA in gbk", "<?xml version=\"1.0\" encoding=\"GBK\"?><alipay><a>\n<![CDATA[\xBB\xFA]]>\n</a></alipay>", "GBK", false,
			fields{"a": "\n机\n"}},
		{"blank CDATA between elements", `<alipay><![CDATA[ ]]><a>T</a> <![CDATA[ ]]> </alipay>`, "utf-8", false, fields{"a": "T"}},
		{"space is a value", `<alipay><a> T </a><b></b><c/></alipay>`, "utf-8", false, fields{"a": " T ", "b": "", "c": ""}},
		{"no declaration, in gbk", "<alipay><a>\xBB\xFA</a></alipay>", "utf-8", true, fields{"a": "机"}},
		{"gbk", "<?xml version=\"1.0\" encoding=\"GBK\"?><alipay><a>\xBB\xFA\xC6\xB1</a></alipay>", "GBK", false, fields{"a": "机票"}},
		{"gbk label on utf-8", `<?xml version="1.0" encoding="GBK"?><alipay><a>机</a></alipay>`, "GBK", true, fields{"a": "机"}},
		{"utf-8 label on gbk", "<?xml version=\"1.0\" encoding=\"utf-8\"?><alipay><a>\xBB\xFA</a></alipay>", "utf-8", true, fields{"a": "机"}},
		{"gb2312", "<?xml version=\"1.0\" encoding=\"gb2312\"?><alipay><a>\xBB\xFA</a></alipay>", "gb2312", false, fields{"a": "机"}},
		{"gb2312 label on gbk", "<?xml version=\"1.0\" encoding=\"gb2312\"?><alipay><a>\xE9F</a></alipay>", "gb2312", true, fields{"a": "镕"}},
		{"gb18030", "<?xml version=\"1.0\" encoding=\"GB18030\"?><alipay><a>\x94\x39\xFC\x36\xA2\xE3</a></alipay>", "GB18030", false, fields{"a": "😀€"}},
		{"unknown containers are not read", `<alipay><x><charge_agent>T</charge_agent></x></alipay>`, "utf-8", false, fields{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := mapi.ParseAnswer([]byte(tt.xml))
			if err != nil {
				t.Fatal(err)
			}
			if a.Encoding() != tt.encoding || a.FellBack() != tt.fellBack || a.Declared() != strings.Contains(tt.xml, "encoding") {
				t.Errorf("encoding %s, declared %v, fell back %v", a.Encoding(), a.Declared(), a.FellBack())
			}
			for name, want := range tt.want {
				if got, ok := a.Get(name); !ok || got != want {
					t.Errorf("Get(%q) = %q, %v, want %q", name, got, ok, want)
				}
			}
			for _, name := range []string{"item", "list", "request", "param", "response", "_input_charset", "nothing"} {
				if got, ok := a.Get(name); ok {
					t.Errorf("Get(%q) = %q, want none", name, got)
				}
			}
		})
	}
	a, err := mapi.ParseAnswer([]byte(wrappedAnswer))
	if got, ok := a.Request("_input_charset"); err != nil || got != "UTF-8" || !ok {
		t.Errorf("Request: %q, %v, %v", got, ok, err)
	}
}

// A declaration belongs to its own answer, whatever was read before.
func TestDeclarationsAreNotMixedUp(t *testing.T) {
	const root = `<alipay><is_success>F</is_success></alipay>`
	for range 2 {
		for text, want := range map[string]string{
			"": "utf-8", `<?xml version="1.0"?>`: "utf-8", `<?xml version="1.0" encoding="gbk"?>`: "gbk", `<?xml version="1.0" encoding='GBK' ?>`: "GBK",
			`<?xml version="1.0" encoding="utf-8"?>`: "utf-8", `<?xml version="1.0" encoding="utf-8" standalone="no"?>`: "utf-8",
		} {
			for range 2 {
				if a, err := mapi.ParseAnswer([]byte(text + root)); err != nil || a.Encoding() != want || a.Declared() != (want != "utf-8" || len(text) > 25) {
					t.Errorf("%s: %q, %v", text, a.Encoding(), err)
				}
			}
			for _, cut := range []int{2, 10, len(text) - 1} {
				if cut > 1 && cut < len(text) {
					if _, err := mapi.ParseAnswer([]byte(text[:cut] + root)); err == nil {
						t.Errorf("%s is taken for a declaration", text[:cut])
					}
				}
			}
		}
	}
}

func TestAnswersRefused(t *testing.T) {
	in := func(inner string) string { return "<alipay>" + inner + "</alipay>" }
	declared := func(d string) string { return d + "<alipay/>" }
	tests := []struct{ name, xml, says string }{
		{"nothing", "", "no element"},
		{"white space", " \n", "no element"},
		{"not XML", "busy, come back", "text outside"},
		{"JSON", `{"is_success":"T"}`, "text outside"},
		{"HTML page", "<!DOCTYPE html><html></html>", "document type"},
		{"HTML page, no doctype", "<html><body>502</body></html>", `root is "html"`},
		{"too large", in("<a>" + strings.Repeat("x", mapi.MaxAnswer) + "</a>"), "larger than 262144"},
		{"half", flatAnswer[:len(flatAnswer)-len("</alipay>")], "ends too early"},
		{"half a tag", flatAnswer[:len(flatAnswer)-3], "EOF"},
		{"other root", "<Alipay/>", `root is "Alipay"`},
		{"root with text", "<alipay>T</alipay>", "root holds text"},
		{"second root", flatAnswer + "<alipay/>", "second root"},
		{"trailing junk", flatAnswer + "x", "text outside"},
		{"closed twice", flatAnswer + "</alipay>", "closed that is not open"},
		{"crossed", "<alipay><a><b></a></b></alipay>", "closed that is not open"},
		{"prefix", in("<a:is_success>T</a:is_success>"), "prefix"},
		{"prefix with nothing", in("<:is_success>T</:is_success>"), "prefix"},
		{"namespace", `<alipay xmlns="x"/>`, "attribute"},
		{"attribute", in(`<is_success a="1">T</is_success>`), "attribute"},
		{"doctype", "<!DOCTYPE alipay>" + flatAnswer[39:], "document type"},
		{"entity of its own", `<!DOCTYPE alipay [<!ENTITY x "T">]>` + in("<is_success>&x;</is_success>"), "document type"},
		{"unknown entity", in("<is_success>&nbsp;</is_success>"), "invalid character entity"},
		{"control character", in("<a>&#1;</a>"), "illegal character"},
		{"NUL", in("<a>\x00</a>"), "illegal character"},
		{"comment in a value", in("<is_success>T<!-- -->F</is_success>"), "comment"},
		{"comment anywhere", "<!-- -->" + in(""), "comment"},
		{"instruction", in("<?x y?>"), "processing instruction"},
		{"second declaration", `<?xml version="1.0"?>` + declared(`<?xml version="1.0"?>`), "processing instruction"},
		{"value in pieces", in("<is_success>T<![CDATA[F]]></is_success>"), "several pieces"},
		{"value after an empty piece", in("<is_success><![CDATA[]]>T</is_success>"), "several pieces"},
		{"value before a blank piece", in("<is_success>T<![CDATA[ ]]></is_success>"), "several pieces"},
		{"value before an empty piece", in("<is_success>T<![CDATA[]]></is_success>"), "several pieces"},
		{"two CDATA", in("<is_success><![CDATA[T]]>\n<![CDATA[]]></is_success>"), "several pieces"},
		{"two blank CDATA", in("<is_success> <![CDATA[ ]]> <![CDATA[ ]]>T</is_success>"), "several pieces"},
		{"CDATA, then text", in("<is_success>\n<![CDATA[T]]>\nF</is_success>"), "several pieces"},
		{"CDATA before an element", in("<a>\n<![CDATA[T]]>\n<b/></a>"), "text between"},
		{"text before an element", in("<a>T<b/></a>"), "text between"},
		{"text after an element", in("<a><b/>T</a>"), "text between"},
		{"repeated", in("<is_success>F</is_success><is_success>T</is_success>"), `"is_success" is there more than once`},
		{"repeated, one empty", in("<a/><a>T</a>"), `"a" is there`},
		{"repeated response", in("<response/><response/>"), `"response" is there`},
		{"repeated response, filled", in("<response><w><a>1</a></w></response><response><w><b>1</b></w></response>"), `"response" is there`},
		{"repeated container", in("<x><a/></x><x><b/></x>"), `"x" is there`},
		{"repeated request", in("<request/><request/>"), `"request" is there`},
		{"repeated in the wrapper", in("<response><w><a>T</a><a>F</a></w></response>"), `"a" is there`},
		{"leaf and record of one name", in("<response><w><a>T</a><a><b/></a></w></response>"), `"a" is there`},
		{"repeated deep down", in("<response><w><l><r><a/><a/></r></l></w></response>"), `"a" is there`},
		{"repeated where nothing is read", in("<x><a/><a/></x>"), `"a" is there`},
		{"on both levels", in("<charge_agent>F</charge_agent><response><w><charge_agent>T</charge_agent></w></response>"), "both under"},
		{"two wrappers", in("<response><v><a>1</a></v><w><b>1</b></w></response>"), "beside its wrapper"},
		{"leaf beside the wrapper", in("<response><a>1</a><w><b>1</b></w></response>"), "beside its wrapper"},
		{"response of text", in("<response>T</response>"), "response holds text"},
		{"request of text", in("<request>T</request>"), "request holds text"},
		{"request of other things", in("<request><service>x</service></request>"), "something other than params"},
		{"param without a name", in("<request><param>x</param></request>"), "request/param"},
		{"param with more", in(`<request><param name="a" value="b"/></request>`), "request/param"},
		{"param elsewhere", in(`<param name="a">x</param>`), "attribute"},
		{"param repeated", in(`<request><param name="a">x</param><param name="a">y</param></request>`), `request/param "a"`},
		{"param of elements", in(`<request><param name="a"><b/></param></request>`), "something other"},
		{"too deep", strings.Repeat("<alipay>", 17) + strings.Repeat("</alipay>", 17), "16 elements deep"},
		{"very deep", strings.Repeat("<a>", 80000), "16 elements deep"},
		{"too many", in(numbered(1024)), "more than 1024 elements"},
		{"UTF-16", "\xFF\xFE<\x00a\x00", "UTF-16"},
		{"UTF-16, big end first", "\xFE\xFF\x00<\x00a", "UTF-16"},
		{"UTF-16, unmarked", "<\x00a\x00/\x00>\x00", ""},
		{"latin-1", declared(`<?xml version="1.0" encoding="ISO-8859-1"?>`), `"ISO-8859-1"`},
		{"XML 1.1", declared(`<?xml version="1.1"?>`), "declaration"},
		{"no version", declared(`<?xml encoding="utf-8"?>`), "declaration"},
		{"encoding twice", declared(`<?xml version="1.0" encoding="utf-8" encoding="gbk"?>`), "declaration"},
		{"another instruction first", declared(`<?php x?>`), "declaration"},
		{"in no encoding", "<alipay><a>\xFF\xFE</a></alipay>", "neither valid utf-8"},
		{"mark and not utf-8", "\xEF\xBB\xBF<alipay><a>\xBB\xFA</a></alipay>", "neither valid utf-8"},
		{"gb18030's euro byte", "<?xml version=\"1.0\" encoding=\"gb18030\"?><alipay><a>\x80</a></alipay>", "neither valid gb18030"},
		{"long names in errors", "<" + strings.Repeat("n", 100000) + "/>", "…"},
		{"long entity in errors", in("&" + strings.Repeat("n", 100000) + ";"), "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := mapi.ParseAnswer([]byte(tt.xml))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error %v, want one that says %q", err, tt.says)
			}
			if !reflect.DeepEqual(a, mapi.Answer{}) {
				t.Errorf("the answer is not zero: %v", a)
			}
			if len(err.Error()) > 250 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestBounds reads answers that are just within the bounds.
func TestBounds(t *testing.T) {
	frame := len("<alipay><a></a></alipay>")
	for name, xml := range map[string]string{
		"size":  "<alipay><a>" + strings.Repeat("x", mapi.MaxAnswer-frame) + "</a></alipay>",
		"depth": "<alipay>" + strings.Repeat("<x>", 15) + strings.Repeat("</x>", 15) + "</alipay>",
		"count": "<alipay>" + numbered(mapi.MaxElements-1) + "</alipay>",
	} {
		if _, err := mapi.ParseAnswer([]byte(xml)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<e%d/>", i)
	}
	return b.String()
}
