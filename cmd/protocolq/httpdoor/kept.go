// Queries whose callers no longer wait: they are stored, and answered later at their address.

package httpdoor

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"protocolq/messages"
)

// memory keeps records of askers, see [store].
type memory interface {
	Put(ctx context.Context, asker, what, name string, data []byte, id string) error
	// Claim stores data under a name if its last record has that sequence, 0 for none, and reports
	// whether it did.
	Claim(ctx context.Context, asker, what, name string, data []byte, last uint64) (bool, error)
	Last(ctx context.Context, asker, what, name string) (record, error)
	Next(ctx context.Context, asker, what string, from uint64) (record, error)
}

// keptAsk is what is stored of a query, without personal data.
type keptAsk struct {
	ID       string `json:"id"`
	Question string `json:"question"`
}

// state is the response at a query's address until there is an answer.
type state struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Location string `json:"location"`
}

// pending is the state of a query that is stored and not answered.
const pending = "pending"

// pollAfter is when a caller should look again for an answer.
const pollAfter = time.Second

// Names of queries in addresses and subjects.
const (
	longestName = 64
	hashedName  = "~" // begins that of an id that cannot stand there itself
	nameLength  = 26
)

var nameAlphabet = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// nameOf is a query's name in its address: its id if that has only letters, digits, - and _,
// otherwise a hash of it.
func nameOf(id string) string {
	if messages.IsToken(id) && len(id) <= longestName {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hashedName + nameAlphabet.EncodeToString(sum[:])[:nameLength]
}

// isName reports whether nameOf can have made it.
func isName(name string) bool {
	if len(name) == 1+nameLength && name[:1] == hashedName {
		return messages.IsToken(name[1:])
	}
	return messages.IsToken(name) && len(name) <= longestName
}

func locationOf(id string) string { return "/v1/queries/" + nameOf(id) }

// keep stores a query; its answer is then found at its address whatever happens to this door.
func (d *door) keep(ctx context.Context, c *caller, q messages.Query) answer {
	mine, err := d.claim(ctx, c, q) // first, so that the answer comes after it
	if err == nil && !mine {
		return because(idConflict, "id: another question has it; give each its own")
	}
	if err == nil {
		err = d.o.Fleet.Submit(ctx, c.Name, q)
	}
	if err != nil {
		return d.away(ctx, c, err)
	}
	return unanswered(q.ID).with("Location", locationOf(q.ID))
}

// unanswered is the response if there is no answer yet.
func unanswered(id string) answer {
	return answer{status: http.StatusAccepted, body: state{id, pending, locationOf(id)}}.with("Retry-After",
		seconds(pollAfter.Milliseconds()))
}

// claim stores which question q's id stands for; false if it stands for another one. Of two claims
// at the same time, even at two doors, the stream takes one, and the other is compared with it.
func (d *door) claim(ctx context.Context, c *caller, q messages.Query) (bool, error) {
	data, err := json.Marshal(keptAsk{q.ID, q.QuestionText()})
	if err != nil {
		return false, err
	}
	first := uint64(0)
	for tries := range absences {
		before, err := d.o.Memory.Last(ctx, c.Name, messages.HTTPAsked, nameOf(q.ID))
		if err != nil {
			return false, err
		}
		if same, err := sameQuestion(before, q.QuestionText()); err != nil || !same {
			return false, err
		}
		if tries > 0 && before.Sequence > first {
			return true, nil // the same question has been asked since
		}
		first = before.Sequence
		if kept, err := d.o.Memory.Claim(ctx, c.Name, messages.HTTPAsked, nameOf(q.ID), data,
			before.Sequence); err != nil || kept {
			return kept, err
		}
		if tries == 0 {
			continue
		}
		select { // the server that replied may not have it yet
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(absence):
		}
	}
	return false, errors.New("keep a query: others with its id keep coming")
}

// sameQuestion reports whether a question is that of the query that was asked; "" is that of a
// worker that names none, and before the first query any is.
func sameQuestion(asked record, question string) (bool, error) {
	if asked.Sequence == 0 || question == "" {
		return true, nil
	}
	var ask keptAsk
	if err := json.Unmarshal(asked.Data, &ask); err != nil {
		return false, fmt.Errorf("read what was asked: %w", err)
	}
	return ask.Question == question, nil
}

// getQuery gives the state of a stored query.
func (d *door) getQuery(c *caller, r *http.Request) answer {
	if a, ok := c.look(1); !ok {
		return a
	}
	name := r.PathValue("id")
	if !isName(name) {
		return because(notFound, "no query has this name")
	}
	asked, result, err := d.find(r.Context(), c, name)
	switch {
	case err != nil:
		return d.away(r.Context(), c, err)
	case result != nil:
		return answer{status: http.StatusOK, body: result}
	case asked.Sequence == 0:
		return because(notFound,
			"no query of this name is kept; an answer that was given at once is not, others for three days")
	}
	var ask keptAsk
	if err := json.Unmarshal(asked.Data, &ask); err != nil {
		return d.away(r.Context(), c, err)
	}
	return unanswered(ask.ID)
}

// find looks for a query of this name, and for its answer; nil: none since it was last asked. A
// reply that came when nothing was asked under its id yet may be to another question.
func (d *door) find(ctx context.Context, c *caller, name string) (asked record, result json.RawMessage, err error) {
	if asked, err = d.o.Memory.Last(ctx, c.Name, messages.HTTPAsked, name); err != nil {
		return asked, nil, err
	}
	got, err := d.o.Memory.Last(ctx, c.Name, messages.HTTPAnswer, name)
	if err != nil || got.Sequence <= asked.Sequence {
		return asked, nil, err
	}
	var to struct {
		Question string `json:"question"`
	}
	if err := json.Unmarshal(got.Data, &to); err != nil {
		return asked, nil, fmt.Errorf("read an answer: %w", err)
	}
	if same, err := sameQuestion(asked, to.Question); err != nil || !same {
		return asked, nil, err
	}
	return asked, got.Data, nil
}

// away is the response if NATS, or a stream of the asker, cannot be reached.
func (d *door) away(ctx context.Context, c *caller, err error) answer {
	d.o.Logger.WarnContext(ctx, "streams or workers cannot be reached", "asker", c.Name, "err", err)
	return later(unavailable, "ask again with the same id and key: that is always safe", fullWait)
}
