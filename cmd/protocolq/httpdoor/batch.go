// POST /v1/batches and GET /v1/batches/{id}: many questions in one request, each with its own
// answer.

package httpdoor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"

	"protocolq/messages"
)

// Bounds of a batch.
const (
	mostQueries = 1000
	batchBytes  = 1 << 20
	// batchAtOnce is how many queries of one batch are stored, or looked for, at a time.
	batchAtOnce = 32
)

// batch is the body of a request, see readBatch.
type batch struct {
	ID      string            `json:"id"`
	Queries []json.RawMessage `json:"queries"`
}

// accepted is the response: an entry for each query, in their order.
type accepted struct {
	ID       string          `json:"id"`
	Location string          `json:"location"`
	Stored   int             `json:"stored"`
	Queries  []acceptedQuery `json:"queries"`
}

// acceptedQuery is a stored query, or why it was not stored.
type acceptedQuery struct {
	ID       string   `json:"id,omitempty"`
	Location string   `json:"location,omitempty"`
	Problem  *problem `json:"problem,omitempty"`
}

// batchState is the state of a batch.
type batchState struct {
	ID       string       `json:"id"`
	Stored   int          `json:"stored"`
	Answered int          `json:"answered"`
	Queries  []batchQuery `json:"queries"`
}

// batchQuery is one of its queries, with its Result once there is one.
type batchQuery struct {
	ID       string          `json:"id"`
	Location string          `json:"location"`
	Result   json.RawMessage `json:"result,omitempty"`
}

// keptBatch is what is stored of a batch: the ids of its stored queries.
type keptBatch struct {
	ID  string   `json:"id"`
	IDs []string `json:"ids"`
}

// postBatch stores the queries of a batch. One that cannot be read does not stop the others.
func (d *door) postBatch(c *caller, r *http.Request) answer {
	data, a, ok := readJSON(r)
	if !ok {
		return a
	}
	b, err := readBatch(data)
	if err != nil {
		return because(badRequest, err.Error())
	}
	if a, ok := c.take(len(b.Queries)); !ok {
		return a
	}
	out := accepted{ID: b.ID, Location: batchLocation(b.ID), Queries: make([]acceptedQuery, len(b.Queries))}
	// What is not stored by then has a problem, and what is stored is kept as a batch.
	within, cancel := context.WithTimeout(r.Context(), longestWait)
	defer cancel()
	defer context.AfterFunc(d.hurried, cancel)()
	var storing errgroup.Group
	storing.SetLimit(batchAtOnce)
	known := map[string]bool{}
	for i, text := range b.Queries {
		q, a, ok := readQuery(&c.Asker, text, nil)
		switch {
		case !ok:
			out.Queries[i] = asAccepted(q.ID, a)
		case known[nameOf(q.ID)]:
			out.Queries[i] = asAccepted(q.ID, because(badRequest, "id: is there twice in this batch"))
		default:
			known[nameOf(q.ID)] = true
			storing.Go(func() error { out.Queries[i] = asAccepted(q.ID, d.keep(within, c, q)); return nil })
		}
	}
	_ = storing.Wait() // it gives no error: errors are in the entries
	return d.keepBatch(r.Context(), c, out)
}

var errBatch = errors.New("the body must be {\"queries\": […]}, and may have an id")

// readBatch reads a batch and gives it an id. A name that comes twice is a fault: of two lists of
// queries only one could count.
func readBatch(data []byte) (b batch, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return b, errBatch
	}
	fields := map[any]any{"id": &b.ID, "queries": &b.Queries}
	for d.More() {
		name, err := d.Token()
		if field := fields[name]; err != nil || field == nil || d.Decode(field) != nil {
			return b, errBatch
		}
		delete(fields, name)
	}
	if _, err := d.Token(); err != nil { // its end
		return b, errBatch
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return b, errors.New("the body must hold one batch")
	}
	if n := len(b.Queries); n == 0 || n > mostQueries {
		return b, fmt.Errorf("queries: %d given; give 1 to %d", n, mostQueries)
	}
	b.ID = cmp.Or(b.ID, rand.Text())
	if !isName(b.ID) {
		return b, fmt.Errorf("id: of a batch must have letters, digits, - and _, at most %d", longestName)
	}
	return b, nil
}

func batchLocation(id string) string { return "/v1/batches/" + id }

// asAccepted is the entry of a query that got an answer.
func asAccepted(id string, a answer) acceptedQuery {
	if p, ok := a.body.(problem); ok {
		return acceptedQuery{ID: id, Problem: &p}
	}
	return acceptedQuery{ID: id, Location: locationOf(id)}
}

// keepBatch stores which queries are stored, and answers. If none is, there is no batch.
func (d *door) keepBatch(ctx context.Context, c *caller, out accepted) answer {
	b := keptBatch{ID: out.ID}
	var first *problem
	for _, q := range out.Queries {
		if q.Problem == nil {
			b.IDs = append(b.IDs, q.ID)
		} else if first == nil {
			first = q.Problem
		}
	}
	if out.Stored = len(b.IDs); out.Stored == 0 {
		p := *first
		p.Detail = "none of the queries is stored; the first: " + p.Detail
		return answer{status: p.Status, problem: true, body: p}.retried(p)
	}
	data, err := json.Marshal(b)
	if err == nil {
		err = d.o.Memory.Put(ctx, c.Name, messages.HTTPBatch, b.ID, data, "")
	}
	if err != nil {
		return d.away(ctx, c, err)
	}
	return answer{status: http.StatusAccepted, body: out}.with("Location", out.Location).with("Retry-After",
		seconds(pollAfter.Milliseconds()))
}

// getBatch says which queries of a batch have been answered, and how.
func (d *door) getBatch(c *caller, r *http.Request) answer {
	if a, ok := c.look(1); !ok {
		return a
	}
	name := r.PathValue("id")
	if !isName(name) {
		return because(notFound, "no batch has this name")
	}
	got, err := d.o.Memory.Last(r.Context(), c.Name, messages.HTTPBatch, name)
	if err != nil {
		return d.away(r.Context(), c, err)
	}
	if got.Sequence == 0 {
		return because(notFound, "no batch of this name is kept; they are for three days")
	}
	var b keptBatch
	if err := json.Unmarshal(got.Data, &b); err != nil {
		return d.away(r.Context(), c, err)
	}
	if a, ok := c.look(len(b.IDs)); !ok {
		return a
	}
	return d.batchAnswer(r.Context(), c, b)
}

// batchAnswer looks for the answers.
func (d *door) batchAnswer(ctx context.Context, c *caller, b keptBatch) answer {
	out := batchState{ID: b.ID, Stored: len(b.IDs), Queries: make([]batchQuery, len(b.IDs))}
	looking, ctx := errgroup.WithContext(ctx)
	looking.SetLimit(batchAtOnce)
	for i, id := range b.IDs {
		looking.Go(func() (err error) {
			_, result, err := d.find(ctx, c, nameOf(id))
			out.Queries[i] = batchQuery{id, locationOf(id), result}
			return err
		})
	}
	if err := looking.Wait(); err != nil {
		return d.away(ctx, c, err)
	}
	for _, q := range out.Queries {
		if q.Result != nil {
			out.Answered++
		}
	}
	if out.Answered < out.Stored {
		return answer{status: http.StatusAccepted, body: out}.with("Retry-After", seconds(pollAfter.Milliseconds()))
	}
	return answer{status: http.StatusOK, body: out}
}
