// On NATS: the workers forget the person, and its dead letters are deleted.

package forget

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
	"protocolq/worker/provision"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

const (
	step = 10 * time.Second // of one request
	// purged is the time after which the workers' log no longer has the person, while a worker runs.
	purged = 13 * time.Minute
)

// person is the person to forget: as typed, and by the look-up ids.
type person struct {
	email, account string
	ids            database.Person
}

// online asks the workers to forget, deletes dead letters and watches, and lists what stays. A
// report without any place means that the workers were not asked.
func (f *forgetting) online(ctx context.Context, r *Report) error {
	nc, err := natsconn.DialAs(f.cfg, "forget", messages.OpsInbox)
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, stop := natsconn.WhileAllowed(ctx, nc)
	defer stop()
	js, err := natsconn.JetStream(nc, f.cfg)
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	known := func(err error) error { return cmp.Or(natsconn.Forbidden(nc, err), err) }
	workers := Place{Place: "workers", Left: "their log and memory, once they are asked to forget"}
	if !f.dry {
		within, cancel := context.WithTimeout(ctx, step)
		err := publishForgotten(within, nc, f.names, slices.Concat(f.person.ids.Emails, f.person.ids.Accounts))
		cancel()
		if err != nil {
			return known(err)
		}
		until := f.now.Add(purged).UTC().Truncate(time.Second)
		workers.Left, workers.Until = "their log, while a worker runs", &until
	}
	r.add(workers)
	p, err := f.dead(ctx, js)
	r.add(p)
	if err == nil {
		p, err = f.watches(ctx, js)
		r.add(p)
	}
	ages := map[messages.Kind]time.Duration{}
	for _, s := range provision.Streams(provision.Options{Names: f.names}) {
		for _, k := range messages.Kinds() {
			if s.Name == f.names.Stream(k) {
				ages[k] = s.MaxAge
			}
		}
	}
	r.add(leftFor(f.now, ages)...)
	if err != nil {
		return known(err)
	}
	return nil
}

// publishForgotten asks the workers to forget a person by all look-up ids, with one message for
// each.
func publishForgotten(ctx context.Context, nc *nats.Conn, names messages.Names, ids []querylog.LookUp) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	for _, id := range ids {
		_, err := js.Publish(ctx, names.Forget(), []byte(id.String()))
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			return &cli.Error{Code: cli.ExitOther,
				Err:  fmt.Errorf("no stream takes %s: nothing was deleted", names.Forget()),
				Hint: "--nats and --prefix say where the workers are; where there are none, leave --nats out"}
		}
		if err != nil {
			return fmt.Errorf("ask the workers to forget: %w", err)
		}
	}
	return nil
}

// dead deletes the dead letters with the person's queries. Those that arrive meanwhile are left to
// another run.
func (f *forgetting) dead(ctx context.Context, js jetstream.JetStream) (Place, error) {
	return f.remove(ctx, js, Place{Place: "dead"}, messages.Dead, f.names.Dead("*"), f.holds)
}

// watches deletes the watches of the page in the browser that would ask about the person again.
// Ended watches have only a mask of the person.
func (f *forgetting) watches(ctx context.Context, js jetstream.JetStream) (Place, error) {
	return f.remove(ctx, js, Place{Place: "watches"}, messages.Watches, f.names.Watch(messages.WatchKept, "*", "*"),
		f.isWatched)
}

// rounds is how often to search a stream at most: a record that is rewritten between search and
// deletion has another sequence.
const rounds = 5

// remove deletes the messages of a stream that hold the person, or counts them.
func (f *forgetting) remove(ctx context.Context, js jetstream.JetStream, p Place, kind messages.Kind, subject string,
	holds func(*jetstream.RawStreamMsg) bool) (Place, error) {
	name := f.names.Stream(kind)
	within, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	stream, err := js.Stream(within, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("open %s: %w", name, err)
	}
	for range rounds {
		found, err := search(ctx, stream, subject, holds)
		if err != nil {
			return p, fmt.Errorf("read %s: %w", name, err)
		}
		p.Found = max(p.Found, p.Deleted+int64(len(found)))
		if f.dry {
			return p, nil
		}
		before := p.Deleted
		for _, seq := range found {
			deleted, err := erase(ctx, stream, seq)
			if err != nil {
				return p, fmt.Errorf("delete message %d of %s: %w", seq, name, err)
			}
			if deleted {
				p.Deleted++
			}
		}
		if p.Deleted-before == int64(len(found)) {
			return p, nil
		}
	}
	return p, fmt.Errorf("delete from %s: messages keep changing: run forget again", name)
}

// erase deletes a message, and reports whether it was there.
func erase(ctx context.Context, stream jetstream.Stream, seq uint64) (bool, error) {
	within, cancel := context.WithTimeout(ctx, step)
	defer cancel()
	err := stream.SecureDeleteMsg(within, seq)
	if err == nil {
		return true, nil
	}
	// Servers have several errors for a message that is gone.
	if _, gone := stream.GetMsg(within, seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return false, err
}

// search gives the sequences of the messages that hold the person. It makes no consumer, because an
// operator has no right to.
func search(ctx context.Context, stream jetstream.Stream, subject string,
	holds func(*jetstream.RawStreamMsg) bool) (found []uint64, err error) {
	for seq := uint64(1); ; seq++ {
		within, cancel := context.WithTimeout(ctx, step)
		m, err := stream.GetMsg(within, seq, jetstream.WithGetMsgSubject(subject))
		cancel()
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if seq = m.Sequence; holds(m) {
			found = append(found, seq)
		}
	}
}

// holds reports whether a dead letter is about the person: by its query, or if that cannot be read,
// by its text.
func (f *forgetting) holds(m *jetstream.RawStreamMsg) bool {
	e, _ := f.names.ParseEnvelope(m.Subject, m.Header, m.Data) // with a fault it holds the rest
	q, _, err := e.Query()
	if err != nil {
		return f.inText(m.Data)
	}
	return f.is(q)
}

// isWatched is the same for a watch.
func (f *forgetting) isWatched(m *jetstream.RawStreamMsg) bool {
	var watch struct {
		Query *messages.Query `json:"query"`
	}
	if err := json.Unmarshal(m.Data, &watch); err != nil {
		return f.inText(m.Data)
	}
	return watch.Query != nil && f.is(*watch.Query)
}

func (f *forgetting) is(q messages.Query) bool {
	return slices.Contains(f.person.ids.Emails, f.hasher.Email(q.UserEmail).LookUp()) ||
		slices.Contains(f.person.ids.Accounts, f.hasher.Account(q.AccountNo).LookUp())
}

// inText looks for the person in an unreadable message.
func (f *forgetting) inText(data []byte) bool {
	text := strings.ToLower(string(data))
	return f.person.email != "" && strings.Contains(text, strings.ToLower(f.person.email)) ||
		f.person.account != "" && strings.Contains(text, f.person.account)
}
