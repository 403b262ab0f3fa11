//go:build unix

// Harm by messages: bombs, poison, hostile reply subjects, and one key that all ask for.

package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// rubbish is what the doors must survive. Each message kills a decoder that trusts its input, or is
// too large, or is not a query.
var rubbish = []string{
	"", "\x81\xa1a\xdd\xff\xff\xff\xff", "\x81\xa1a\xdf\xff\xff\xff\xff", "\xdd\xff\xff\xff\xff", "{", "[[[[[[[[[[[[",
	"null", later, `{"v":1,"v":1}`,
	`{"v":1,"user_email":["a"]}`, `{"v":1,"user_email":"signed+rubbish@` + testbed.CanaryDomain +
		`","deadline_ms":-1}`, "\xc1", "\x81\xa1v\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
}

// later is a query of a later version. Such a submitted query is left to other workers for minutes.
const later = "\x81\xa1v\x02"

// attacks are reply subjects that must never be published to.
var attacks = []string{
	"protocol.journal.victim", "protocol.followed.victim", "protocol.member.victim", "protocol.query.victim",
	"protocol.submit.victim", "protocol.redrive.victim",
	"protocol.forget", "protocol.intake", "protocol.alerts", "protocol.log.victim", "protocol.event.victim.signed",
	"protocol.dead.victim", "protocol.partner.victim.rate", "$JS.API.STREAM.DELETE.PROTOCOL_EVENTS",
	"$JS.API.STREAM.PURGE.PROTOCOL_JOURNAL", "$KV.bucket.victim",
	"elsewhere.victim", "_GR_.victim",
}

// mistyped are well-formed messages whose values have other types than a query's.
var mistyped = []string{
	"\x81\xa1v\xa11", "\x81\xa1v\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", "\x82\xa1v\x01\xaauser_email\x2a",
	"\x82\xa1v\x01\xaauser_email\x91\xa1a", "\x82\xa1v\x01\xaauser_email\x81\xa1a\x01",
	"\x82\xa1v\x01\xaaaccount_no\xcf\x1c\xfc\x2a\x60\x00\x00\x00\x00", "\x82\xa1v\x01\xa4meta\xc3",
	"\x82\xa1v\x01\xa4meta\x81\x01\x02", "\x82\xa1v\x01\xa2id\xc4\x01a", "\x93\x01\x02\x03", "\x2a", "\xc0",
	"\xa5hello",
	`[1,2]`, `"text"`, `7`, `{"v":"1"}`, `{"v":1.5}`, `{"v":1,"max_age_ms":"1"}`, `{"v":1,"meta":["a"]}`,
	`{"v":1,"user_email":{"a":1}}`,
}

const randoms = 100

func hostileScenario() Scenario {
	f := &figures{}
	return Scenario{Name: "hostile",
		About:  "bombs, reply subjects that are attacks, one key asked 10,000 times at once",
		bounds: verdict.Bounds{Unknown: true, Strangers: true},
		harm:   func(ctx context.Context, h *testbed.Bed, long time.Duration) error { return hostile(ctx, h, long, f) },
		after:  unasked, observe: f.tell}
}

// figures are what a scenario itself measures.
type figures struct{ list []verdict.Figure }

func (f *figures) add(what, value, bound string) {
	f.list = append(f.list, verdict.Figure{What: what, Value: value, Bound: bound})
}

func (f *figures) tell(_ context.Context, _ *testbed.Bed, t *verdict.Evidence) error {
	t.Figures = append(t.Figures, f.list...)
	return nil
}

// hostile sends all of it while others ask.
func hostile(ctx context.Context, h *testbed.Bed, long time.Duration, f *figures) error {
	nc, _, err := h.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	for _, s := range attacks {
		if err := h.Observer.Guard(s); err != nil {
			return err
		}
	}
	if err := h.Observer.Conn.Flush(); err != nil {
		return err
	}
	bombs := slices.Concat([]string{string(make([]byte, 64<<10+1)), nested(60 << 10)}, rubbish, mistyped)
	for range randoms {
		bombs = append(bombs, h.RubbishOf())
	}
	h.Inject("bombs", fmt.Sprintf("%d of each of %d", 4, len(bombs)))
	for range 4 {
		for _, i := range h.Rand.Perm(len(bombs)) {
			_, err := nc.Request("protocol.query", []byte(bombs[i]), 2*time.Second)
			if err != nil {
				h.Violation("bomb %d was not answered: %v", i, err)
			}
			if bombs[i] == later {
				continue
			}
			if err := nc.Publish("protocol.submit", []byte(bombs[i])); err != nil {
				return err
			}
		}
	}
	h.Inject("attacks", fmt.Sprintf("%d reply subjects, by both doors", len(attacks)))
	for i, s := range attacks {
		q := messages.Query{V: messages.Version, ID: fmt.Sprintf("attack-%d", i),
			UserEmail: testbed.EmailOf("signed", fmt.Sprintf("attack%d", i))}
		if err := assault(nc, q, s); err != nil {
			return err
		}
	}
	if err := hotKey(ctx, h, f); err != nil {
		return err
	}
	return testbed.Pause(ctx, long/4)
}

// assault sends a query three times: with the NATS reply subject to, and with to in the query, by
// both doors.
func assault(nc *nats.Conn, q messages.Query, to string) error {
	plain, err := q.Encode(messages.MsgPack)
	if err != nil {
		return err
	}
	q.ReplyTo = to
	inside, err := q.Encode(messages.MsgPack)
	if err != nil {
		return err
	}
	head := nats.Header{messages.HeaderContentType: {string(messages.MsgPack)}, messages.HeaderReplyTo: {to}}
	for _, m := range []*nats.Msg{
		{Subject: "protocol.query", Reply: to, Data: plain, Header: head},
		{Subject: "protocol.query", Data: inside, Header: head},
		{Subject: "protocol.submit", Data: inside, Header: head},
	} {
		if err := nc.PublishMsg(m); err != nil {
			return err
		}
	}
	return nc.Flush()
}

// nested is a deep msgpack array.
func nested(depth int) string {
	b := make([]byte, depth)
	for i := range b {
		b[i] = 0x91
	}
	return string(b)
}

// unasked looks for calls on behalf of attackers: their queries are refused before any call.
func unasked(ctx context.Context, h *testbed.Bed) error {
	t, err := h.Gather(ctx)
	if err != nil {
		return err
	}
	for _, c := range t.Calls {
		if strings.Contains(c.Key, "attack") || strings.Contains(c.Key, "+rubbish") {
			h.Violation("the gateway was asked for %s", c.Key)
		}
	}
	return nil
}

// poison lets every worker that asks about one key die during the call, three times: the fourth
// must report that, and live.
func poison(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	const places = 3
	for i := range places {
		if err := h.Work(ctx, i, "after-send:1"); err != nil {
			return err
		}
	}
	dead := map[int]bool{}
	err := testbed.Eventually(ctx, 60*time.Second, "three workers die over one key", func() bool {
		for i, p := range h.Fleet {
			if !p.Alive() && !dead[i] {
				dead[i] = true
				h.Inject(verdict.Killed, p.Name+" in the call")
			}
		}
		return len(dead) == places
	})
	for i := range places {
		err = errors.Join(err, h.Work(ctx, i, ""))
	}
	return errors.Join(err, testbed.Pause(ctx, long/4))
}

// poisoned wants the dead letter of the key that killed three.
func poisoned(ctx context.Context, h *testbed.Bed) error {
	t, err := h.Gather(ctx)
	if err != nil {
		return err
	}
	for _, reason := range t.Dead {
		if reason == "poison" {
			return nil
		}
	}
	h.Violation("no dead letter says poison")
	return nil
}
