// protocolq dead redrive: asks again what could not be answered.

package dead

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

func newDeadRedrive() *cobra.Command {
	cfg, s, dropDeadline := &settings.Config{}, &deadSelection{}, false
	set := settings.New(cfg, deadSettings...)
	c := &cobra.Command{
		Use:   "redrive (SEQ… | filters | --all-matching)",
		Short: "Ask again what could not be answered",
		Long: `Submits the queries of dead letters again, and then deletes the dead letters. Each query keeps its id,
so its asker gets one more reply; a question that was answered meanwhile costs no call of the gateway.
A query whose deadline has passed is skipped, unless --drop-deadline is given; one that cannot be read
is always skipped. Two redrives at the same time ask once.

Exit codes: 0 all were asked again · 1 some were skipped, with the reason`,
		Example: `  protocolq dead redrive 17
  protocolq dead redrive --reason expired --since 1d --yes
  protocolq dead redrive --all-matching --partner 2088000000000001`,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	s.add(c)
	c.Flags().BoolVar(&dropDeadline, "drop-deadline", false, "ask again without the deadline if it has passed")
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.Load(c.Flags(), func() error { return s.check(c, args) }); err != nil {
			return err
		}
		return runDeadRedrive(c, cfg, s, redriving{dropDeadline: dropDeadline, out: *out})
	}
	return c
}

// redriving is one run of the command and its results so far.
type redriving struct {
	dropDeadline bool
	out          cli.Output

	Matched  int       `json:"matched"`
	Redriven int       `json:"redriven"`
	Gone     int       `json:"gone,omitempty"` // somebody else has dealt with them meanwhile
	Skipped  []skipped `json:"skipped,omitempty"`
}

// skipped is a dead letter that was left where it is.
type skipped struct {
	Seq uint64 `json:"seq"`
	Why string `json:"why"`
}

func runDeadRedrive(c *cobra.Command, cfg *settings.Config, s *deadSelection, r redriving) error {
	box, seqs, err := s.open(c, cfg, "Ask again for %s?")
	if err != nil {
		return err
	}
	defer box.nc.Close()
	r.Matched = len(seqs)
	for _, seq := range seqs {
		if err = r.one(c.Context(), box, seq); err != nil {
			break // the cause applies to all others, too
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

// one redrives one dead letter: it is deleted only when its query is stored.
func (r *redriving) one(ctx context.Context, box *deadBox, seq uint64) error {
	l, err := box.get(ctx, seq)
	if errors.Is(err, errNoLetter) {
		r.Gone++
		return nil
	}
	if err != nil {
		return err
	}
	m, why := l.again(box.names, r, time.Now())
	if why != "" {
		r.skip(seq, why)
		return nil
	}
	if err := box.keep(ctx, m); errors.Is(err, jetstream.ErrNoStreamResponse) {
		return fmt.Errorf("ask again for dead letter %d: no stream takes %s", seq, box.names.Stream(messages.Submitted))
	} else if err != nil {
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
	if r.out == cli.JSON {
		return cli.PrintJSON(c.OutOrStdout(), r)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(c.OutOrStdout(), "left      %d: %s\n", s.Seq, s.Why)
	}
	if r.Gone > 0 {
		fmt.Fprintf(c.OutOrStdout(), "gone      %d: somebody else has dealt with them meanwhile\n", r.Gone)
	}
	if _, err := fmt.Fprintf(c.OutOrStdout(), "redriven  %d of %s\n", r.Redriven, counted(r.Matched)); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// keep publishes m until the stream has it. By its message id it is stored only once.
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
		return err
	}
}

// mostAsItWas is how long a query is asked again byte by byte: with the headers the stream takes
// that. What is longer is padded or escaped without need, as every valid query is shorter.
const mostAsItWas = 3 << 10

// again makes the message that asks again, or says why there is none.
//
// It goes to the operators' subject, with the ask's own subject and door in headers. An ask that a
// worker had taken from an asker that waits has its reply subject; all others are sent as
// submitted. A query that was refused at the door had no reply subject, so nothing is lost.
func (l *deadLetter) again(names messages.Names, r *redriving, now time.Time) (m *nats.Msg, why string) {
	switch {
	case l.Unreadable != nil:
		return nil, "it cannot be read: asking again gives the same"
	case l.late(now) && !r.dropDeadline:
		return nil, "its deadline has passed (--drop-deadline asks all the same)"
	}
	q, token, n := l.query, l.base(), max(l.Redriven, l.redrivenByToken())+1
	data := l.env.Body
	anew := len(data) > mostAsItWas
	if q.ID == "" || l.late(now) {
		anew = true
		if q.ID = cmp.Or(q.ID, l.id); q.ID == "" || q.Check() != nil {
			q.ID = token
		}
		if l.late(now) {
			q.DeadlineMs = 0
		}
	}
	if anew {
		var err error
		if data, err = q.Encode(l.encoding); err != nil {
			return nil, "it cannot be written again: " + err.Error()
		}
	}
	e := messages.Envelope{MsgID: token + "/r" + strconv.FormatInt(n, 10), ContentType: string(l.encoding), Redriven: n,
		Trace: l.env.Trace, Body: data}
	subject, why := l.cameAs(names, &e, q)
	if why != "" {
		return nil, why
	}
	return &nats.Msg{Subject: subject, Data: e.Body, Header: e.Header()}, ""
}

// cameAs says on the envelope what the door knew, and returns the operators' subject for its
// partner, or why that is not known. Whether the reply subject is allowed is checked again.
func (l *deadLetter) cameAs(names messages.Names, e *messages.Envelope, q messages.Query) (subject, why string) {
	partner, isDoor := names.PartnerOf(l.env.Subject)
	if partner = cmp.Or(partner, q.Partner, l.Partner); !messages.IsToken(partner) {
		return "", "it does not name its partner"
	}
	e.Door, e.Subject, e.Partner, e.ID = messages.DoorSubmit, l.submitSubject(names), partner, q.ID
	if l.Door == messages.DoorQuery && l.Token != "" {
		e.Door, e.Subject, e.ReplyTo = messages.DoorQuery, l.env.Subject, l.env.ReplyTo
		if !isDoor {
			e.Subject = names.QueryOf(partner)
		}
	}
	return names.Redrive(partner), ""
}

// submitSubject is where the query was submitted, or otherwise where its partner's queries are
// submitted.
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

// againSuffix ends the token of what was asked again.
var againSuffix = regexp.MustCompile(`(/r\d+)+$`)

// base is the ask's token without the suffixes of earlier redrives. If the query was in no stream
// it has no token: then it is that of the dead letter itself.
func (l *deadLetter) base() string {
	if l.Token == "" {
		return fmt.Sprintf("dead-%d-%d", l.Seq, l.At.UnixNano())
	}
	return againSuffix.ReplaceAllString(l.Token, "")
}

// redrivenByToken is how often it was asked again, by its token.
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
