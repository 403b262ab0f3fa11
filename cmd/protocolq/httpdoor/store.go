// What the door keeps of a query whose caller no longer waits: in a stream for each asker.

package httpdoor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/messages"
)

// record is one message of an asker's stream, the last of its name.
type record struct {
	Data     []byte
	Sequence uint64 // 0: there is none
}

// store is the askers' streams. The door itself keeps nothing, so that any door finds what another
// has stored, before and after a restart.
//
// The answers come by the durable replies of the asker. They do not stay there, because all askers
// share that stream and it never drops unread replies: unread answers of one asker would hold up
// the fleet. Here each asker has its own room, and the oldest messages are dropped first. The query
// log also has the answers, but later, and without the account's id.
type store struct {
	nc    *nats.Conn
	js    jetstream.JetStream
	api   string // prefix of the JetStream API
	names messages.Names
}

// newStore makes a store. It does not check that the streams exist.
func newStore(nc *nats.Conn, api string, names messages.Names) (*store, error) {
	api = cmp.Or(api, "$JS.API")
	js, err := jetstream.NewWithAPIPrefix(nc, api)
	if err != nil {
		return nil, fmt.Errorf("http door: %w", err)
	}
	return &store{nc: nc, js: js, api: api, names: names}, nil
}

// storeTime bounds one read or write.
const storeTime = 5 * time.Second

// Put stores data under a name. Two messages with the same id within some minutes are stored once;
// "" is no id.
func (s *store) Put(ctx context.Context, asker, what, name string, data []byte, id string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	m := &nats.Msg{Subject: s.names.HTTP(asker, what, name), Data: data, Header: nats.Header{}}
	if id != "" {
		m.Header[messages.HeaderMsgID] = []string{id}
	}
	_, err := s.js.PublishMsg(ctx, m)
	return notKept(what, asker, err)
}

// Claim stores data under a name if its last record has that sequence, and reports whether it did.
func (s *store) Claim(ctx context.Context, asker, what, name string, data []byte, last uint64) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	_, err := s.js.Publish(ctx, s.names.HTTP(asker, what, name), data, jetstream.WithExpectLastSequencePerSubject(last))
	word, ok := errors.AsType[*jetstream.APIError](err)
	if ok && (word.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		word.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return false, nil
	}
	return err == nil, notKept(what, asker, err)
}

// notKept adds to an error what was to be stored, and what to do if there is no room for it.
func notKept(what, asker string, err error) error {
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		err = fmt.Errorf("%w; make it: protocolq provision --http %s", err, asker)
	}
	if err != nil {
		err = fmt.Errorf("keep %s of %s: %w", what, asker, err)
	}
	return err
}

// Last is the last record under a name.
func (s *store) Last(ctx context.Context, asker, what, name string) (record, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return s.get(ctx, asker, what, "."+s.names.HTTP(asker, what, name), nil)
}

// Next is the first record of a kind from a sequence on, whatever its name.
func (s *store) Next(ctx context.Context, asker, what string, from uint64) (record, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	body, err := json.Marshal(map[string]any{"seq": from, "next_by_subj": s.names.HTTP(asker, what, "*")})
	if err != nil {
		return record{}, err
	}
	return s.get(ctx, asker, what, "", body)
}

// get reads one message, or none.
func (s *store) get(ctx context.Context, asker, what, end string, body []byte) (record, error) {
	m, err := s.request(ctx, s.api+".DIRECT.GET."+s.names.StreamHTTP(asker)+end, body)
	if errors.Is(err, nats.ErrNoResponders) {
		err = fmt.Errorf("%w; there is no stream: protocolq provision --http %s", err, asker)
	}
	if err != nil {
		return record{}, fmt.Errorf("read %s of %s: %w", what, asker, err)
	}
	switch status := m.Header.Get("Status"); status {
	case "":
		n, err := strconv.ParseUint(m.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil {
			return record{}, fmt.Errorf("read %s of %s: sequence: %w", what, asker, err)
		}
		return record{m.Data, n}, nil
	case "404":
		return record{}, nil
	default:
		return record{}, fmt.Errorf("read %s of %s: status %s %s", what, asker, status, m.Header.Get("Description"))
	}
}

// request asks for one message. For a stream that was just made, or whose leader changes, no server
// answers for a moment.
func (s *store) request(ctx context.Context, subject string, body []byte) (m *nats.Msg, err error) {
	for tries := range absences {
		if m, err = s.nc.RequestWithContext(ctx, subject, body); !errors.Is(err, nats.ErrNoResponders) ||
			tries == absences-1 {
			return m, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(absence):
		}
	}
	return nil, err
}

// How many requests in a row must find no responders before that counts, and the wait between them.
const (
	absences = 4
	absence  = 150 * time.Millisecond
)
