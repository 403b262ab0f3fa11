// protocolq dead discard, and what it shares with redrive: which letters, how many, and is that meant.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// deadSelection is which letters a command changes: by sequence, or by filter.
type deadSelection struct {
	filter   deadFilter
	all, yes bool
	seqs     []uint64
}

func (s *deadSelection) add(c *cobra.Command) {
	s.filter.add(c, 0, "how many at most, the oldest first; 0 for all")
	c.Flags().BoolVar(&s.all, "all-matching", false, "all that the filters select; without a filter, every letter")
	c.Flags().BoolVar(&s.yes, "yes", false, "do not ask whether that is meant; needed where no terminal is")
}

// check reads the arguments. Letters are named one way or the other: never by leaving everything out.
func (s *deadSelection) check(c *cobra.Command, args []string) error {
	var err error
	if s.seqs, err = parseSequences(args); err != nil {
		return err
	}
	filtered := s.all || s.filter.said(c.Flags())
	switch {
	case len(args) > 0 && (filtered || c.Flags().Changed("limit")):
		return usageError("give either sequences or filters, not both")
	case len(args) == 0 && !filtered:
		return usageError("say which: sequences, a filter such as --reason, or --all-matching for every letter")
	}
	return s.filter.check()
}

// find gives the sequences of the letters that are there.
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

// confirm asks the person at the terminal, who alone can say no. Where there is none, --yes must have said it.
func (s *deadSelection) confirm(c *cobra.Command, question string) error {
	if s.yes {
		return nil
	}
	in, ok := c.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return &exitError{Code: exitUsage, Err: fmt.Errorf("%s No terminal to ask: nothing was done", question), Hint: "--yes says that it is meant"}
	}
	return askYes(c.Context(), in, c.ErrOrStderr(), question)
}

func askYes(ctx context.Context, in io.Reader, out io.Writer, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", question)
	said := make(chan string, 1)
	go func() { // a signal must not wait for a line; the program ends soon after
		line, _ := bufio.NewReader(in).ReadString('\n')
		said <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-said:
		if answer == "y" || answer == "yes" {
			return nil
		}
	case <-ctx.Done():
	}
	return errors.New("nothing was done")
}

func newDeadDiscard() *cobra.Command {
	cfg, s := &Config{}, &deadSelection{}
	set := newSettings(cfg.table(), deadSettings...)
	c := &cobra.Command{
		Use:   "discard (SEQ… | filters | --all-matching)",
		Short: "Delete dead letters",
		Long:  `Deletes dead letters for good. Nobody is told.`,
		Example: `  protocolq dead discard 17 18
  protocolq dead discard --reason unreadable --until 7d --yes`,
	}
	set.addFlags(c.Flags())
	s.add(c)
	out := addOutput(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := set.load(c.Flags(), func() error { return s.check(c, args) }); err != nil {
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

func runDeadDiscard(c *cobra.Command, cfg *Config, s *deadSelection, out output) error {
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
		if err := s.confirm(c, fmt.Sprintf("Delete %s for good?", counted(len(seqs)))); err != nil {
			return err
		}
	}
	done := discarded{Matched: len(seqs)}
	for _, seq := range seqs {
		if err = box.remove(c.Context(), seq); err != nil {
			break
		}
		done.Discarded++
	}
	if out == asJSON {
		return errors.Join(printJSON(c.OutOrStdout(), done), err)
	}
	fmt.Fprintf(c.OutOrStdout(), "discarded  %d of %s\n", done.Discarded, counted(done.Matched))
	return err
}

func counted(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return fmt.Sprintf("%d dead letters", n)
}
