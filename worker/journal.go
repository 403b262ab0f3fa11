// The calls of a run as the key's record keeps them, so that whoever takes the key over can write them down.

package worker

import (
	"fmt"

	"protocolq/worker/dedupe"
	"protocolq/worker/pack"
)

// Attempt is what is written down of one call; times in microseconds.
type Attempt struct {
	AtUs       int64 // when it began, unix µs
	DNS        int64
	Connect    int64
	TLS        int64
	FirstByte  int64
	Body       int64
	Total      int64
	Code       string
	Class      string // what may be done about the code; empty for an answer
	HTTPStatus int
	Bytes      int
	Reused     bool // on a connection that was there
	Cut        bool // its worker died: what came of it is not known
}

func (a *Attempt) encode() []byte {
	f := pack.NewFields(128)
	f.Int("at", a.AtUs)
	f.Int("dns", a.DNS)
	f.Int("connect", a.Connect)
	f.Int("tls", a.TLS)
	f.Int("first", a.FirstByte)
	f.Int("body", a.Body)
	f.Int("total", a.Total)
	f.Text("code", a.Code)
	f.Text("class", a.Class)
	f.Int("http", int64(a.HTTPStatus))
	f.Int("bytes", int64(a.Bytes))
	f.Flag("reused", a.Reused)
	f.Flag("cut", a.Cut)
	return f.Encoded()
}

func (a *Attempt) read(in *pack.Reader) {
	in.Fields(func(name string) {
		switch name {
		case "at":
			a.AtUs = in.Int()
		case "dns":
			a.DNS = in.Int()
		case "connect":
			a.Connect = in.Int()
		case "tls":
			a.TLS = in.Int()
		case "first":
			a.FirstByte = in.Int()
		case "body":
			a.Body = in.Int()
		case "total":
			a.Total = in.Int()
		case "code":
			a.Code = in.Text()
		case "class":
			a.Class = in.Text()
		case "http":
			a.HTTPStatus = int(in.Int())
		case "bytes":
			a.Bytes = int(in.Int())
		case "reused":
			a.Reused = in.Flag()
		case "cut":
			a.Cut = in.Flag()
		default: // of a newer worker
			in.Skip()
		}
	})
}

// journalOf writes calls, the oldest first.
func journalOf(calls []Attempt) []byte {
	b := pack.AppendList(nil, len(calls))
	for i := range calls {
		b = append(b, calls[i].encode()...)
	}
	return b
}

// attemptsOf reads the calls that a record tells of. With an error they are those before the fault.
func attemptsOf(rec *dedupe.Record) (calls []Attempt, err error) {
	if len(rec.Journal) == 0 {
		return nil, nil
	}
	in := pack.NewReader(rec.Journal)
	if in.Nil() {
		return nil, nil
	}
	for n := in.List(); n > 0; n-- {
		var a Attempt
		if a.read(in); in.Err() != nil {
			break
		}
		calls = append(calls, a)
	}
	if in.Err() != nil {
		return calls, fmt.Errorf("read attempts: %w", in.Err())
	}
	return calls, nil
}
