// The result of a comparison: for a person, and as an exit code.

package compare

import (
	"time"

	"protocolq/cmd/protocolq/cli"
)

// Sums count lines by what their answers differ in; a line counts once for each kind.
type Sums struct {
	Lines      int64
	Same       int64
	Different  int64 // not of kind Unknown alone
	Kinds      map[string]int64
	Unasked    int64 // could not be asked
	Unanswered int64 // at least one side gave no answer at all
}

// Add counts one line.
func (s *Sums) Add(kinds []Kind) {
	if s.Kinds == nil {
		s.Kinds = map[string]int64{}
	}
	for _, kind := range kinds {
		s.Kinds[string(kind)]++
	}
	switch {
	case len(kinds) == 0:
		s.Same++
	case kinds[0] != Unknown:
		s.Different++
	}
}

// Exit is the exit code: a difference counts most.
func (s *Sums) Exit() int {
	switch {
	case s.Different > 0:
		return cli.ExitOther
	case s.Unanswered > 0:
		return cli.ExitNoAnswer
	case s.Kinds[string(Unknown)] > 0:
		return cli.ExitUnknown
	case s.Unasked > 0:
		return cli.ExitRefused
	}
	return cli.ExitOK
}

// Text is one line for a person.
func (s *Sums) Text(took time.Duration) string {
	text := cli.Counted(s.Lines, "line", "lines") + ": same " + cli.Grouped(s.Same)
	for _, kind := range Kinds() {
		if n := s.Kinds[string(kind)]; n > 0 {
			text += ", " + string(kind) + " " + cli.Grouped(n)
		}
	}
	if s.Unanswered > 0 {
		text += ", no answer " + cli.Grouped(s.Unanswered)
	}
	if s.Unasked > 0 {
		text += ", could not be asked " + cli.Grouped(s.Unasked)
	}
	return text + ", in " + cli.Roundly(took)
}
