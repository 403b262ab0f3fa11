// protocolq dead redrive: asks again what could not be answered.
package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/messages"
)

func newDeadRedrive() *cobra.Command {
	cfg, s, dropDeadline := &Config{}, &deadSelection{}, false
	set := newSettings(cfg.table(), deadSettings...)
	c := &cobra.Command{
		Use:   "redrive (SEQ… | filters | --all-matching)",
		Short: "Ask again what could not be answered",
		Long: `Puts the queries of dead letters back to where workers take them from, and then deletes the letters.
Each keeps its id, so its asker gets one more reply; a question that was answered meanwhile costs no
call of the gateway. A query whose deadline has passed is left, unless --drop-deadline; one that cannot
be read is always left. Doing it twice at once asks once.

Exit codes: 0 all were asked again · 1 some are left, and it says why`,
		Example: `  protocolq dead redrive 17
  protocolq dead redrive --reason reply_full --since 1d --yes
  protocolq dead redrive --all-matching --partner 2088000000000001`,
	}
	set.addFlags(c.Flags())
	s.add(c)
	c.Flags().BoolVar(&dropDeadline, "drop-deadline", false, "ask also where the deadline has passed, without it")
	out := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.load(c.Flags(), func() error { return s.check(c, args) }); err != nil {
			return err
		}
		return runDeadRedrive(c, cfg, s, redriving{dropDeadline: dropDeadline, out: *out})
	}
	return c
}

// redriving is one run of the command and what has come of it so far.
type redriving struct {
	dropDeadline bool
	out          output

	Matched  int       `json:"matched"`
	Redriven int       `json:"redriven"`
	Gone     int       `json:"gone,omitempty"` // somebody else has dealt with them meanwhile
	Skipped  []skipped `json:"skipped,omitempty"`
}

// skipped is a letter that was left where it is.
type skipped struct {
	Seq uint64 `json:"seq"`
	Why string `json:"why"`
}

func runDeadRedrive(c *cobra.Command, cfg *Config, s *deadSelection, r redriving) error {
	box, err := openDead(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer box.nc.Close()
	seqs, err := s.find(c.Context(), box)
	if err != nil {
		return err
	}
	if len(seqs) > 0 {
		if err := s.confirm(c, fmt.Sprintf("Ask again for %s?", counted(len(seqs)))); err != nil {
			return err
		}
	}
	r.Matched = len(seqs)
	for _, seq := range seqs {
		if err = r.one(c.Context(), box, seq); err != nil {
			break // what keeps one from being stored keeps all
		}
	}
	if perr := r.print(c); perr != nil {
		return errors.Join(err, perr)
	}
	if err == nil && len(r.Skipped) > 0 {
		return fmt.Errorf("%s left", counted(len(r.Skipped)))
	}
	return err
}

// one redrives one letter: it is deleted only when its query is stored.
func (r *redriving) one(ctx context.Context, box *deadBox, seq uint64) error {
	l, err := box.get(ctx, seq)
	if errors.Is(err, errNoLetter) {
		r.Gone++
		return nil
	}
	if err != nil {
		return err
	}
	m, why := l.again(box.names, r.dropDeadline, time.Now())
	if why != "" {
		r.skip(seq, why)
		return nil
	}
	if err := box.keep(ctx, m); err != nil {
		return fmt.Errorf("ask again for dead letter %d: %w", seq, err)
	}
	if err := box.remove(ctx, seq); err != nil {
		return fmt.Errorf("it was asked again, but: %w", err)
	}
	r.Redriven++
	return nil
}

func (r *redriving) skip(seq uint64, why string) {
	r.Skipped = append(r.Skipped, skipped{Seq: seq, Why: why})
}

func (r *redriving) print(c *cobra.Command) error {
	if r.out == asJSON {
		return printJSON(c.OutOrStdout(), r)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(c.OutOrStdout(), "left      %d: %s\n", s.Seq, s.Why)
	}
	if _, err := fmt.Fprintf(c.OutOrStdout(), "redriven  %d of %s\n", r.Redriven, counted(r.Matched)); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// keep publishes m until the stream has it. Sent again it is stored once, by its message id.
func (b *deadBox) keep(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, 3*deadStep)
	defer cancel()
	for {
		try, cancel := context.WithTimeout(ctx, deadStep/2)
		_, err := b.js.PublishMsg(try, m)
		cancel()
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			return fmt.Errorf("no stream takes %s", b.names.Stream(messages.Requests))
		}
		return err
	}
}

// again makes the message that asks again, or says why there is none.
//
// What the front door had stored goes back to the requests, with the place its asker awaits at. All
// else goes back as submitted, on the same subject, so that it is checked again; a query that the
// front door refused had no place to reply to, so there it is nobody's loss.
func (l *deadLetter) again(names messages.Names, dropDeadline bool, now time.Time) (m *nats.Msg, why string) {
	switch {
	case l.Unreadable != nil:
		return nil, "it cannot be read: asking again gives the same"
	case l.late(now) && !dropDeadline:
		return nil, "its deadline has passed (--drop-deadline asks all the same)"
	}
	q, token, n := l.query, l.base(), max(l.Redriven, l.redrivenByToken())+1
	data := l.env.Body
	if q.ID == "" || l.late(now) {
		if q.ID = firstOf(q.ID, l.id); q.ID == "" || q.Check() != nil {
			q.ID = token
		}
		if l.late(now) {
			q.DeadlineMs = 0
		}
		var err error
		if data, err = q.Encode(l.encoding); err != nil {
			return nil, "it cannot be written again: " + err.Error()
		}
	}
	e := messages.Envelope{MsgID: token + "/r" + strconv.FormatInt(n, 10), ContentType: string(l.encoding), Redriven: n, Trace: l.env.Trace, Body: data}
	subject := l.submitSubject(names)
	if l.Door == messages.DoorQuery && l.Token != "" {
		if subject, why = l.asRequest(names, &e, q); why != "" {
			return nil, why
		}
	}
	return &nats.Msg{Subject: subject, Data: e.Body, Header: e.Header()}, ""
}

// asRequest says on the envelope what the front door does, and returns where requests of its key
// are stored, or why that is not known.
func (l *deadLetter) asRequest(names messages.Names, e *messages.Envelope, q messages.Query) (subject, why string) {
	if q.Partner = firstOf(q.Partner, l.Partner); q.Partner == "" {
		return "", "it does not tell its partner"
	}
	e.Door, e.Partner, e.ID, e.Subject, e.ReplyTo = messages.DoorQuery, q.Partner, q.ID, l.env.Subject, l.env.ReplyTo // the worker checks it again
	if _, isDoor := names.PartnerOf(e.Subject); !isDoor {
		e.Subject = names.QueryOf(q.Partner)
	}
	return names.Request(q.KeyToken()), ""
}

// submitSubject is where it was submitted, or, of what was not, where its partner's queries are.
func (l *deadLetter) submitSubject(names messages.Names) string {
	partner, isDoor := names.PartnerOf(l.env.Subject)
	switch {
	case isDoor && l.Door == messages.DoorSubmit:
		return l.env.Subject
	case !isDoor:
		partner = l.Partner
	}
	if partner == "" {
		return names.Submit()
	}
	return names.SubmitOf(partner, "")
}

// againSuffix ends the token of what was asked again, or has waited.
var againSuffix = regexp.MustCompile(`(/[rw]\d+)+$`)

// base is the ask token without what earlier redrives have put on it. A letter that was in no
// stream has none: then it is that of the letter itself.
func (l *deadLetter) base() string {
	if l.Token == "" {
		return fmt.Sprintf("dead-%d-%d", l.Seq, l.At.UnixNano())
	}
	return againSuffix.ReplaceAllString(l.Token, "")
}

// redrivenByToken is how often it was asked again, as its token says.
func (l *deadLetter) redrivenByToken() int64 {
	found := regexp.MustCompile(`/r(\d+)`).FindStringSubmatch(l.Token)
	if found == nil {
		return 0
	}
	n, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
