// Forms as multipart/form-data: what curl makes from an array, and what a hostile client may send.

package simulator_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
)

const boundary = "------------------------5d2ba7c7f0ae9b1c"

// part writes one part like curl.
func part(disposition, value string, headers ...string) string {
	var more strings.Builder
	for _, h := range headers {
		more.WriteString(h + "\r\n")
	}
	return "--" + boundary + "\r\nContent-Disposition: form-data; " + disposition + "\r\n" + more.String() + "\r\n" + value + "\r\n"
}

const last = "--" + boundary + "--\r\n"

// parts writes the signed parameters, with values in the bytes of the charset, without the last
// line.
func parts(t *testing.T, p mapi.Params, cs mapi.Charset, headers ...string) string {
	t.Helper()
	signed, err := md5Key.Signed(p, cs)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range signed {
		value, err := cs.Encode(p.Value)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(part(`name="`+p.Name+`"`, string(value), headers...))
	}
	return b.String()
}

func postParts(t *testing.T, charset, contentType, body string) *http.Request {
	t.Helper()
	req := post(t, action+charset, body)
	req.Header.Set("Content-Type", contentType)
	return req
}

func TestMultipartIsAForm(t *testing.T) {
	const kind = "multipart/form-data; boundary=" + boundary
	good := query(mapi.UTF8, "signed@example.com", "")
	plain := parts(t, good, mapi.UTF8)
	filler := func(n int) (b string) {
		for i := range n {
			b += part(fmt.Sprintf(`name="x%d"`, i), "1")
		}
		return b
	}
	for name, c := range map[string]struct{ kind, body, want string }{
		"as curl sends it":        {kind, plain + last, "T T T"},
		"a quoted boundary":       {`Multipart/Form-Data; boundary="` + boundary + `"`, plain + last, "T T T"},
		"text before and after":   {kind, "to be ignored\r\n" + plain + last + "to be ignored", "T T T"},
		"as Java libraries do":    {kind, parts(t, good, mapi.UTF8, "Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit") + last, "T T T"},
		"a wrong sign":            {kind, strings.Replace(plain, "signed@", "singed@", 1) + last, "ILLEGAL_SIGN"},
		"percent-encoded values":  {kind, strings.Replace(plain, "signed@", "signed%40", 1) + last, "ILLEGAL_SIGN"},
		"an unknown parameter":    {kind, parts(t, with(good, "submit", "ok"), mapi.UTF8) + last, "ILLEGAL_ARGUMENT"},
		"a repeated parameter":    {kind, plain + part(`name="biz_type"`, "10004") + last, "ILLEGAL_ARGUMENT"},
		"an ampersand in a value": {kind, strings.Replace(plain, "10004", "10004&service=x", 1) + last, "ILLEGAL_SIGN"},

		"no boundary":              {"multipart/form-data", plain + last, "ILLEGAL_ARGUMENT"},
		"an empty boundary":        {`multipart/form-data; boundary=""`, plain + last, "ILLEGAL_ARGUMENT"},
		"another boundary":         {"multipart/form-data; boundary=other", plain + last, "ILLEGAL_ARGUMENT"},
		"a boundary too long":      {kind + strings.Repeat("x", 70), strings.ReplaceAll(plain+last, boundary, boundary+strings.Repeat("x", 70)), "ILLEGAL_ARGUMENT"},
		"two boundaries":           {kind + "; boundary=other", plain + last, "ILLEGAL_ARGUMENT"},
		"another multipart":        {"multipart/mixed; boundary=" + boundary, plain + last, "ILLEGAL_ARGUMENT"},
		"a longer type":            {"application/x-www-form-urlencoded-not", form(t, good, mapi.UTF8), "ILLEGAL_ARGUMENT"},
		"nothing":                  {kind, "", "ILLEGAL_ARGUMENT"},
		"no parts":                 {kind, last, "ILLEGAL_ARGUMENT"},
		"no last line":             {kind, plain, "ILLEGAL_ARGUMENT"},
		"cut off in a value":       {kind, plain[:len(plain)-3], "ILLEGAL_ARGUMENT"},
		"cut off after a header":   {kind, plain[:len(plain)-9], "ILLEGAL_ARGUMENT"},
		"cut off in a header":      {kind, plain + "--" + boundary + "\r\nContent-Dispo", "ILLEGAL_ARGUMENT"},
		"a broken header":          {kind, plain + "--" + boundary + "\r\nno colon here\r\n\r\nx\r\n" + last, "ILLEGAL_ARGUMENT"},
		"no disposition":           {kind, plain + "--" + boundary + "\r\n\r\nx\r\n" + last, "ILLEGAL_ARGUMENT"},
		"two dispositions":         {kind, plain + part(`name="x"`, "x", `Content-Disposition: form-data; name="y"`) + last, "ILLEGAL_ARGUMENT"},
		"an attachment":            {kind, strings.Replace(plain, "form-data", "attachment", 1) + last, "ILLEGAL_ARGUMENT"},
		"no name":                  {kind, plain + part(`size=1`, "x") + last, "ILLEGAL_ARGUMENT"},
		"an empty name":            {kind, plain + part(`name=""`, "x") + last, "ILLEGAL_ARGUMENT"},
		"two names":                {kind, plain + part(`name="x"; name="y"`, "x") + last, "ILLEGAL_ARGUMENT"},
		"a file":                   {kind, strings.Replace(plain, `name="biz_type"`, `name="biz_type"; filename="a"`, 1) + last, "ILLEGAL_ARGUMENT"},
		"a file without a name":    {kind, strings.Replace(plain, `name="biz_type"`, `name="biz_type"; filename=""`, 1) + last, "ILLEGAL_ARGUMENT"},
		"a file's encoded name":    {kind, strings.Replace(plain, `name="biz_type"`, `name="biz_type"; filename*=UTF-8''a`, 1) + last, "ILLEGAL_ARGUMENT"},
		"a part of another type":   {kind, parts(t, good, mapi.UTF8, "Content-Type: application/json") + last, "ILLEGAL_ARGUMENT"},
		"nested":                   {kind, plain + part(`name="x"`, "--in\r\n\r\n1\r\n--in--", "Content-Type: multipart/mixed; boundary=in") + last, "ILLEGAL_ARGUMENT"},
		"quoted-printable":         {kind, parts(t, good, mapi.UTF8, "Content-Transfer-Encoding: quoted-printable") + last, "ILLEGAL_ARGUMENT"},
		"base64":                   {kind, parts(t, good, mapi.UTF8, "Content-Transfer-Encoding: base64") + last, "ILLEGAL_ARGUMENT"},
		"32 parts":                 {kind, plain + filler(32-7) + last, "ILLEGAL_SIGN"},
		"33 parts":                 {kind, plain + filler(33-7) + last, "ILLEGAL_ARGUMENT"},
		"a thousand empty parts":   {kind, strings.Repeat("--"+boundary+"\r\n\r\n\r\n", 1000) + last, "ILLEGAL_ARGUMENT"},
		"a thousand header lines":  {kind, part(`name="x"`, "x", strings.Repeat("X: y\r\n", 1000)+"Z: z") + plain + last, "ILLEGAL_SIGN"},
		"a header of 60 KiB":       {kind, part(`name="x"`, "x", "X: "+strings.Repeat("y", 60<<10)) + plain + last, "ILLEGAL_SIGN"},
		"64 KiB":                   {kind, plain + part(`name="x"`, strings.Repeat("x", 64<<10)) + last, "ILLEGAL_ARGUMENT"},
		"64 KiB before the parts":  {kind, strings.Repeat("x", 64<<10) + "\r\n" + plain + last, "ILLEGAL_ARGUMENT"},
		"form fields in the parts": {kind, form(t, good, mapi.UTF8), "ILLEGAL_ARGUMENT"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := roundTrip(t, newSimulator(t, nil), postParts(t, "utf-8", c.kind, c.body)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestMultipartCutAnywhere(t *testing.T) {
	s := newSimulator(t, nil)
	whole := parts(t, query(mapi.UTF8, "signed@example.com", ""), mapi.UTF8) + last
	for n := range len(whole) - len("\r\n") {
		if got := roundTrip(t, s, postParts(t, "utf-8", "multipart/form-data; boundary="+boundary, whole[:n])); got != "ILLEGAL_ARGUMENT" {
			t.Fatalf("%d of %d bytes: %s", n, len(whole), got)
		}
	}
}

func TestMultipartKeepsBytes(t *testing.T) {
	gbk, err := mapi.ParseCharset("gbk")
	if err != nil {
		t.Fatal(err)
	}
	for _, cs := range []mapi.Charset{mapi.UTF8, gbk} {
		body := parts(t, query(cs, "signed+张三% +&=@example.com", ""), cs) + last
		if got := roundTrip(t, newSimulator(t, nil), postParts(t, cs.String(), "multipart/form-data; boundary="+boundary, body)); got != "T T T" {
			t.Errorf("%s: %s", cs, got)
		}
	}
}

// TestMultipartOfAnotherHand asks with the standard library's writer.
func TestMultipartOfAnotherHand(t *testing.T) {
	signed, err := md5Key.Signed(query(mapi.UTF8, "signed@example.com", ""), mapi.UTF8)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range signed {
		field, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p.Name + `"`}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(field, p.Value)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := roundTrip(t, newSimulator(t, nil), postParts(t, "utf-8", w.FormDataContentType(), body.String())); got != "T T T" {
		t.Errorf("got %s", got)
	}
}
