// A form as multipart/form-data: the vendor's own PHP demo sends this.

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
	// maxParts is far above what this service needs; the whole body is bounded before.
	maxParts = 32
	// maxBoundary is the bound of RFC 2046, section 5.1.1.
	maxBoundary = 70
)

var errNoForm = errors.New("not a form of plain fields")

// formOfParts returns the fields as a percent-encoded form, not yet decoded, so that the same
// checks follow for both kinds of form. It refuses files, nested parts and encoded parts: the
// gateway has no such parameters.
func formOfParts(body []byte, boundary string) (string, error) {
	if boundary == "" || len(boundary) > maxBoundary {
		return "", errNoForm
	}
	// The reader also returns io.EOF for a body that ends within a part's header.
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

// fieldName is the name of a part that is one plain text field.
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
