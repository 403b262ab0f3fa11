// The document that describes the door to programs.

package httpdoor

import (
	_ "embed" // the document
	"net/http"
)

//go:embed openapi.yaml
var document []byte

// getDocument serves it as it is.
func (d *door) getDocument(*caller, *http.Request) answer {
	return answer{status: http.StatusOK, header: map[string]string{"Content-Type": "application/yaml"}, raw: document}
}
