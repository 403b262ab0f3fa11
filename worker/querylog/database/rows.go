// Lines as rows: the value of each column.

package database

import (
	"encoding/json"
	"math/bits"
	"slices"
	"strings"
	"time"

	"protocolq/worker/querylog"
)

// rows is a batch as rows without duplicates, in the order of the tables' keys.
type rows struct {
	runs     []runRow
	asks     []askRow
	rejected []rejectedRow
}

type runRow struct {
	*querylog.Run
	calls string
}

type askRow struct{ *querylog.Ask }

type rejectedRow struct{ *querylog.Rejected }

const (
	runColumns = "id, at_ms, took_ms, partner, key_id, email, email_id, account, account_id, hash_version, outcome, " +
		"code, class, debit, refund, verified, worker, deaths, calls"
	askColumns = "token, at_ms, took_ms, slow, request, run, partner, key_id, email, email_id, account, account_id, " +
		"hash_version, source, door, subject, reply, outcome, code, trace, field"

	rejectedColumns = "at_ms, stream, subject, size, reason"
)

// marks is one ? for each column.
func marks(columns string) string {
	return strings.TrimSuffix(strings.Repeat("?, ", strings.Count(columns, ",")+1), ", ")
}

// rowsOf removes duplicates within the batch and sorts the rest. Then neighbouring rows are written
// together, and two recorders never wait for each other in a circle.
func rowsOf(b *querylog.Batch) *rows {
	r := &rows{}
	seen := make(map[string]bool, len(b.Runs))
	for i := range b.Runs {
		if run := &b.Runs[i]; !seen[run.ID] {
			seen[run.ID] = true
			r.runs = append(r.runs, runRow{Run: run, calls: callsJSON(run.Attempts)})
		}
	}
	slices.SortFunc(r.runs, func(x, y runRow) int { return strings.Compare(x.ID, y.ID) })
	seen = make(map[string]bool, len(b.Asks))
	for i := range b.Asks {
		if ask := &b.Asks[i]; !seen[ask.Token] {
			seen[ask.Token] = true
			r.asks = append(r.asks, askRow{ask})
		}
	}
	slices.SortFunc(r.asks, func(x, y askRow) int {
		if c := x.At.Compare(y.At); c != 0 {
			return c
		}
		return strings.Compare(x.Token, y.Token)
	})
	for i := range b.Rejected {
		r.rejected = append(r.rejected, rejectedRow{&b.Rejected[i]})
	}
	slices.SortFunc(r.rejected, func(x, y rejectedRow) int { return x.At.Compare(y.At) })
	return r
}

// partners are the partners of the asks, sorted.
func (r *rows) partners() []string {
	var list []string
	for _, a := range r.asks {
		if !slices.Contains(list, a.Partner) {
			list = append(list, a.Partner)
		}
	}
	slices.Sort(list)
	return list
}

// dayOf counts days since 1970.
func dayOf(ms int64) int64 { return ms / (24 * time.Hour).Milliseconds() }

// days are the days of the asks.
func (r *rows) days() []int64 {
	var list []int64
	for _, a := range r.asks { // in the order of time
		if d := dayOf(a.At.UnixMilli()); len(list) == 0 || list[len(list)-1] != d {
			list = append(list, d)
		}
	}
	return list
}

func (r runRow) values() []any {
	return []any{r.ID, r.At.UnixMilli(), took(r.At, r.AnsweredAt), r.Partner, lookUp(r.Key), r.Email.String(),
		lookUp(r.Email), r.Account.String(), lookUp(r.Account),
		hashVersion(r.Key, r.Email,
			r.Account), r.Outcome, r.Code, r.Class, r.Debit, r.Refund, r.Verified, r.Worker, r.Deaths, r.calls}
}

func (a askRow) values() []any {
	ms := took(a.At, a.AnsweredAt)
	return []any{a.Token, a.At.UnixMilli(), ms, slowness(ms), a.Request.String(), a.Run, a.Partner, lookUp(a.Key),
		a.Email.String(), lookUp(a.Email),
		a.Account.String(), lookUp(a.Account), hashVersion(a.Key, a.Email,
			a.Account), a.Source, a.Door, a.Subject, a.Reply, a.Outcome, a.Code, a.Trace, a.Field}
}

func (r rejectedRow) values() []any {
	return []any{r.At.UnixMilli(), int64(r.Stream), r.Subject, r.Size, r.Reason}
}

// took is the duration in milliseconds. It is 0 if the end is not known or, by two clocks, is
// before the start.
func took(from, to time.Time) int64 {
	if to.IsZero() {
		return 0
	}
	return max(to.Sub(from).Milliseconds(), 0)
}

// slowest is the highest class of slowness: over a minute.
const slowest = 8

// slowness is the class of a time: 0 is under half a second, and each doubling is one class more.
// An index over it finds the slow asks among very many.
func slowness(ms int64) int { return min(bits.Len64(uint64(ms/500)), slowest) }

// lookUp is NULL if there is no id.
func lookUp(m querylog.Masked) []byte {
	if id := m.LookUp(); id != (querylog.LookUp{}) {
		return id[:]
	}
	return nil
}

func hashVersion(list ...querylog.Masked) string {
	for _, m := range list {
		if v := m.Version(); v != "" {
			return v
		}
	}
	return ""
}

// Call is one call of the gateway as stored in the column calls.
type Call struct {
	AtMs        int64  `json:"at_ms"`
	DNSUs       int64  `json:"dns_us,omitempty"`
	ConnectUs   int64  `json:"connect_us,omitempty"`
	TLSUs       int64  `json:"tls_us,omitempty"`
	FirstByteUs int64  `json:"first_byte_us,omitempty"`
	BodyUs      int64  `json:"body_us,omitempty"`
	TotalUs     int64  `json:"total_us,omitempty"`
	Code        string `json:"code,omitempty"`
	Class       string `json:"class,omitempty"`
	HTTPStatus  int    `json:"http_status,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`
	Reused      bool   `json:"reused,omitempty"`
	Cut         bool   `json:"cut,omitempty"`
}

func callsJSON(attempts []querylog.Attempt) string {
	calls := make([]Call, len(attempts))
	for i, a := range attempts {
		calls[i] = Call{DNSUs: a.DNS.Microseconds(), ConnectUs: a.Connect.Microseconds(), TLSUs: a.TLS.Microseconds(),
			FirstByteUs: a.FirstByte.Microseconds(), BodyUs: a.Body.Microseconds(), TotalUs: a.Total.Microseconds(),
			Code: a.Code, Class: a.Class,
			HTTPStatus: a.HTTPStatus, Bytes: a.Bytes, Reused: a.Reused, Cut: a.Cut}
		if !a.At.IsZero() {
			calls[i].AtMs = a.At.UnixMilli()
		}
	}
	text, err := json.Marshal(calls)
	if err != nil {
		panic(err) // numbers and texts only
	}
	return string(text)
}
