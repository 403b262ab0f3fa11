// A form as multipart/form-data, which is what the vendor's own PHP demo sends.

package simulator

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"
)

const (
	// maxParts is far above what this service knows; the body as a whole is bounded before.
	maxParts = 32
	// maxBoundary is the bound of RFC 2046, section 5.1.1.
	maxBoundary = 70
)

var errNoForm = errors.New("not a form of plain fields")

// formOfParts gives the fields as a form in percent-encoding, undecoded, so that whatever is
// checked afterwards is checked of both kinds alike. Files, nested and encoded parts are no
// parameters of the gateway and are refused.
func formOfParts(body []byte, boundary string) (string, error) {
	if boundary == "" || len(boundary) > maxBoundary {
		return "", errNoForm
	}
	// The reader says io.EOF of a body that is cut off within a part's header, too.
	if !bytes.Contains(body, []byte("\n--"+boundary+"--")) {
		return "", errNoForm
	}
	var form strings.Builder
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 0; ; n++ {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) && n > 0 {
			return form.String(), nil
		}
		if err != nil || n == maxParts {
			return "", errNoForm
		}
		name, ok := fieldName(part.Header)
		if !ok {
			return "", errNoForm
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return "", errNoForm
		}
		if n > 0 {
			form.WriteByte('&')
		}
		form.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(string(value)))
	}
}

// fieldName is the name of a part that is one plain field of text.
func fieldName(header textproto.MIMEHeader) (string, bool) {
	if len(header["Content-Disposition"]) != 1 {
		return "", false
	}
	disposition, params, err := mime.ParseMediaType(header.Get("Content-Disposition"))
	if err != nil || disposition != "form-data" || len(params) != 1 || params["name"] == "" {
		return "", false
	}
	if kind := header.Get("Content-Type"); kind != "" {
		if kind, _, err := mime.ParseMediaType(kind); err != nil || kind != "text/plain" {
			return "", false
		}
	}
	switch strings.ToLower(header.Get("Content-Transfer-Encoding")) {
	case "", "7bit", "8bit", "binary":
		return params["name"], true
	}
	return "", false
}
