// Which dead letters are meant: by reason, time, partner, id or sequence.
package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/messages"
)

// deadFilter selects letters. A zero field selects all.
type deadFilter struct {
	reasons      []string
	since, until time.Time
	partner, id  string
	after        uint64 // only letters behind this sequence
	limit        int    // 0: no limit

	sinceText, untilText string
	flags                *pflag.FlagSet
}

func deadReasons() []string {
	return []string{messages.DeadUnreadable, messages.DeadReplyRefused, messages.DeadReplyFull, messages.DeadPoison, messages.DeadExpired, messages.DeadCrashed}
}

func (f *deadFilter) add(c *cobra.Command, limit int, limitUsage string) {
	fs := c.Flags()
	f.flags = fs
	fs.StringSliceVar(&f.reasons, "reason", nil, "only these: "+strings.Join(deadReasons(), ", "))
	fs.StringVar(&f.sinceText, "since", "", "only from then on: 2h (ago), 7d, 2006-01-02 or RFC 3339")
	fs.StringVar(&f.untilText, "until", "", "only before then")
	fs.StringVar(&f.partner, "partner", "", "only of this partner, 2088 and 12 digits")
	fs.StringVar(&f.id, "id", "", "only of the query with this id")
	fs.IntVar(&f.limit, "limit", limit, limitUsage)
	must(c.RegisterFlagCompletionFunc("reason", cobra.FixedCompletions(deadReasons(), cobra.ShellCompDirectiveNoFileComp)))
}

// filterFlags are those that select; limit only cuts.
var filterFlags = []string{"reason", "since", "until", "partner", "id"}

// said tells whether the command line selects by a filter.
func (f *deadFilter) said(fs *pflag.FlagSet) bool {
	return slices.ContainsFunc(filterFlags, fs.Changed)
}

// check reads the times and reports every fault.
func (f *deadFilter) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if err := checkGiven(f.flags, filterFlags...); err != nil {
		fault("%w", err)
	}
	for _, r := range f.reasons {
		if !contains(deadReasons(), r) {
			fault("--reason must be one of %s, not %q", strings.Join(deadReasons(), ", "), r)
		}
	}
	var err error
	now := time.Now()
	if f.since, err = parseWhen(f.sinceText, now); err != nil {
		fault("--since %w", err)
	}
	if f.until, err = parseWhen(f.untilText, now); err != nil {
		fault("--until %w", err)
	}
	if err := checkPartnerID(f.partner); f.partner != "" && err != nil {
		fault("--partner %w", err)
	}
	if f.limit < 0 {
		fault("--limit must not be negative")
	}
	if err := errors.Join(faults...); err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	return nil
}

// parseWhen reads a time: so long ago, a day (of this machine's zone) or a moment. "" is the zero
// time.
func parseWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	days, isDays := strings.CutSuffix(text, "d")
	if n, err := strconv.Atoi(days); isDays && err == nil && 0 <= n && n < 36500 {
		return now.AddDate(0, 0, -n), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	return time.Time{}, fmt.Errorf("must be such as 90m, 7d, 2006-01-02 or 2006-01-02T15:04:05Z, not %q", text)
}

// consumer reads what may be selected; the server takes it away when it is idle.
func (f *deadFilter) consumer(names messages.Names) jetstream.ConsumerConfig {
	c := jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute}
	for _, r := range slices.Compact(slices.Sorted(slices.Values(f.reasons))) {
		c.FilterSubjects = append(c.FilterSubjects, names.Dead(r))
	}
	switch {
	case f.after > 0:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, f.after+1
	case !f.since.IsZero():
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &f.since
	}
	return c
}

// ends tells that no letter from l on is selected.
func (f *deadFilter) ends(l *deadLetter) bool { return !f.until.IsZero() && !l.At.Before(f.until) }

func (f *deadFilter) selects(l *deadLetter) bool {
	return l.Seq > f.after && !l.At.Before(f.since) &&
		(len(f.reasons) == 0 || slices.Contains(f.reasons, l.Reason)) &&
		(f.partner == "" || f.partner == l.Partner) && (f.id == "" || f.id == l.id)
}
