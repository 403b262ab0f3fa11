// GET /v1/undelivered: the answers that an asker's webhook never took.

package httpdoor

import (
	"encoding/json"
	"net/http"
	"strconv"

	"protocolq/messages"
)

// undeliveredPage is how many one response lists.
const undeliveredPage = 100

// undeliveredList is the body of the response.
type undeliveredList struct {
	Undelivered []json.RawMessage `json:"undelivered"`
	// Next is the "after" of the next page; 0: there is none.
	Next uint64 `json:"next,omitempty"`
}

// getUndelivered lists them, the oldest first.
func (d *door) getUndelivered(c *caller, r *http.Request) answer {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 63)
	if err != nil && r.URL.Query().Has("after") {
		return because(badRequest, "after: give the next of the page before")
	}
	if a, ok := c.look(undeliveredPage); !ok {
		return a
	}
	out := undeliveredList{Undelivered: []json.RawMessage{}}
	for len(out.Undelivered) < undeliveredPage {
		got, err := d.o.Memory.Next(r.Context(), c.Name, messages.HTTPUndelivered, after+1)
		if err != nil {
			return d.away(r.Context(), c, err)
		}
		if got.Sequence == 0 {
			return answer{status: http.StatusOK, body: out}
		}
		after = got.Sequence
		out.Undelivered = append(out.Undelivered, got.Data)
	}
	out.Next = after
	return answer{status: http.StatusOK, body: out}
}
