// protocolq dead discard, and what it shares with redrive: which dead letters, how many, and the
// confirmation.

package dead

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
)

// deadSelection is which letters a command changes: by sequence, or by filter.
type deadSelection struct {
	filter   deadFilter
	all, yes bool
	seqs     []uint64
}

func (s *deadSelection) add(c *cobra.Command) {
	s.filter.add(c, 0, "how many at most, the oldest first; 0 for all")
	c.Flags().BoolVar(&s.all, "all-matching", false, "all that the filters select; without a filter, every dead letter")
	cli.AddYes(c, &s.yes)
}

// check reads the arguments. Dead letters have to be named by sequence or by a filter: no arguments
// select nothing.
func (s *deadSelection) check(c *cobra.Command, args []string) error {
	var err error
	if s.seqs, err = parseSequences(args); err != nil {
		return err
	}
	filtered := s.all || s.filter.said(c.Flags())
	switch {
	case len(args) > 0 && (filtered || c.Flags().Changed("limit")):
		return cli.Usage("give either sequences or filters, not both")
	case len(args) == 0 && !filtered:
		return cli.Usage("say which: sequences, a filter such as --reason, or --all-matching for every dead letter")
	}
	return s.filter.check()
}

// find gives the sequences of the dead letters that are there.
func (s *deadSelection) find(ctx context.Context, box *deadBox) ([]uint64, error) {
	if len(s.seqs) > 0 {
		for _, seq := range s.seqs {
			if _, err := box.get(ctx, seq); err != nil {
				return nil, fmt.Errorf("%d: %w", seq, err)
			}
		}
		return s.seqs, nil
	}
	var found []uint64
	err := box.walk(ctx, &s.filter, func(l deadLetter) bool {
		found = append(found, l.Seq)
		return s.filter.limit == 0 || len(found) < s.filter.limit
	})
	return found, err
}

// open finds the dead letters, and asks for confirmation with their number. Close the box's
// connection afterwards.
func (s *deadSelection) open(c *cobra.Command, cfg *settings.Config, question string) (*deadBox, []uint64, error) {
	box, err := openDead(c.Context(), cfg)
	if err != nil {
		return nil, nil, err
	}
	seqs, err := s.find(c.Context(), box)
	if err == nil && len(seqs) > 0 {
		err = cli.Confirm(c, s.yes, fmt.Sprintf(question, counted(len(seqs))))
	}
	if err != nil {
		box.nc.Close()
		return nil, nil, err
	}
	return box, seqs, nil
}

func newDeadDiscard() *cobra.Command {
	cfg, s := &settings.Config{}, &deadSelection{}
	set := settings.New(cfg, deadSettings...)
	c := &cobra.Command{
		Use:   "discard (SEQ… | filters | --all-matching)",
		Short: "Delete dead letters",
		Long:  `Deletes dead letters for good. Their askers get no reply.`,
		Example: `  protocolq dead discard 17 18
  protocolq dead discard --reason unreadable --until 7d --yes`,
	}
	set.AddFlags(c.Flags())
	set.FindDev(c)
	s.add(c)
	out := cli.AddOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.Load(c.Flags(), func() error { return s.check(c, args) }); err != nil {
			return err
		}
		return runDeadDiscard(c, cfg, s, *out)
	}
	return c
}

// discarded is what discard prints.
type discarded struct {
	Matched   int `json:"matched"`
	Discarded int `json:"discarded"`
}

func runDeadDiscard(c *cobra.Command, cfg *settings.Config, s *deadSelection, out cli.Output) error {
	box, seqs, err := s.open(c, cfg, "Delete %s for good?")
	if err != nil {
		return err
	}
	defer box.nc.Close()
	done := discarded{Matched: len(seqs)}
	for _, seq := range seqs {
		if err = box.remove(c.Context(), seq); err != nil {
			break
		}
		done.Discarded++
	}
	if out == cli.JSON {
		return errors.Join(cli.PrintJSON(c.OutOrStdout(), done), err)
	}
	fmt.Fprintf(c.OutOrStdout(), "discarded  %d of %s\n", done.Discarded, counted(done.Matched))
	return err
}

func counted(n int) string { return cli.Counted(int64(n), "dead letter", "dead letters") }
