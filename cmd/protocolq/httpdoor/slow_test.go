// Requests while the streams are slow or away: each has its answer before the server would cut it
// off.

package httpdoor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/messages"
)

// slow is a memory that takes its time for each read, and fails then if it is away.
type slow struct {
	*remembered
	takes time.Duration
	away  error
}

func (s *slow) wait(ctx context.Context) error {
	select {
	case <-time.After(s.takes):
		return s.away
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slow) Last(ctx context.Context, asker, what, name string) (record, error) {
	if err := s.wait(ctx); err != nil {
		return record{}, err
	}
	return s.remembered.Last(ctx, asker, what, name)
}

func (s *slow) Next(ctx context.Context, asker, what string, from uint64) (record, error) {
	if err := s.wait(ctx); err != nil {
		return record{}, err
	}
	return s.remembered.Next(ctx, asker, what, from)
}

func TestSlowStreams(t *testing.T) {
	queries := make([]string, mostQueries)
	ids := keptBatch{ID: "night-1"}
	for i := range queries {
		ids.IDs = append(ids.IDs, fmt.Sprint("q", i))
		queries[i] = aQuery(ids.IDs[i])
	}
	for name, c := range map[string]struct {
		method, path, body string
		memory             *slow
		status             int
	}{
		"away, a batch":           {"POST", "/v1/batches", batchOf("night-1", queries...), &slow{takes: storeTime, away: errors.New("away")}, 503},
		"slow, a batch":           {"POST", "/v1/batches", batchOf("night-1", queries...), &slow{takes: storeTime - 1}, 202},
		"slow, a batch's answers": {"GET", "/v1/batches/night-1", "", &slow{takes: storeTime - 1}, 503},
		"slow, what is left":      {"GET", "/v1/undelivered", "", &slow{takes: storeTime - 1}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.memory.remembered = holding(t, ids)
				d := openDoor(t, options{Fleet: silent(), Memory: c.memory})
				began := time.Now()
				w, fields := d.do(t, request(c.method, c.path, c.body))
				if took := time.Since(began); took > writeTime-time.Second || w.StatusCode != c.status {
					t.Errorf("%d after %v, %v", w.StatusCode, took, fields["type"])
				}
			})
		})
	}
}

// holding is a memory with a batch and a page of undelivered answers.
func holding(t *testing.T, b keptBatch) *remembered {
	t.Helper()
	m := &remembered{}
	data, err := json.Marshal(b)
	if err == nil {
		err = m.Put(t.Context(), "shop", messages.HTTPBatch, b.ID, data, "")
	}
	for i := range undeliveredPage {
		err = errors.Join(err, m.Put(t.Context(), "shop", messages.HTTPUndelivered, fmt.Sprint(i), []byte(`{"id":"x","tries":1,"why":"x","failed_at_ms":1,"result":`+keptAnswer+`}`), ""))
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A door that must close leaves the rest of a batch, and says which of its queries are stored.
func TestBatchAsTheDoorCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		queries := make([]string, mostQueries)
		for i := range queries {
			queries[i] = aQuery(fmt.Sprint("q", i))
		}
		memory := &slow{remembered: &remembered{}, takes: storeTime - 1}
		d := openDoor(t, options{Fleet: silent(), Memory: memory})
		began := time.Now()
		time.AfterFunc(storeTime, d.hurry)
		w, fields := d.do(t, request("POST", "/v1/batches", batchOf("night-1", queries...)))
		if took := time.Since(began); took > 2*storeTime || w.StatusCode != 202 || fields["stored"] != float64(batchAtOnce) {
			t.Errorf("%d after %v, %v stored", w.StatusCode, took, fields["stored"])
		}
	})
}
