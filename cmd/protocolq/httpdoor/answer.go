// What a handler returns, and the one place where it is written.

package httpdoor

import (
	"encoding/json"
	"maps"
	"net/http"
)

// answer is a response that is not written yet.
type answer struct {
	status  int
	header  map[string]string
	body    any    // written as JSON; nil: none
	problem bool   // the body is one
	raw     []byte // instead of body: written as it is, with its own Content-Type
}

// with adds a header.
func (a answer) with(name, value string) answer {
	header := maps.Clone(a.header)
	if header == nil {
		header = map[string]string{}
	}
	header[name] = value
	a.header = header
	return a
}

// write sends it. Answers are about accounts, so no cache on the way may keep one.
func (a answer) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	for name, value := range a.header {
		h.Set(name, value)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		_, _ = w.Write(a.raw)
		return
	}
	h.Set("Content-Type", "application/json")
	if a.problem {
		h.Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(a.status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a.body) // it fails only if the caller has left
}
