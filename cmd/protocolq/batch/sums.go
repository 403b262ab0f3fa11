// The result of a batch: for a person, and as an exit code.

package batch

import (
	"fmt"
	"maps"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// Sums count the lines of a batch by their answers.
type Sums struct {
	Lines      int64
	Outcomes   map[string]int64 // of lines with an answer
	Unanswered int64
	Faults     int64 // of Outcomes, refused: lines that could not be asked
	Earlier    int64 // asked by an earlier run
}

func (s *Sums) add(a Answer) {
	s.Lines++
	if a.Earlier {
		s.Earlier++
	}
	if a.Fault != nil {
		s.Faults++
	}
	if a.Err != nil {
		s.Unanswered++
		return
	}
	s.Outcomes[string(a.Result.Outcome)]++
}

// Exit is the exit code of the worst line. Signed or not, a line with the gateway's answer counts
// as answered.
func (s Sums) Exit() int {
	switch {
	case s.Unanswered > 0:
		return cli.ExitNoAnswer
	case s.Outcomes[string(messages.Unknown)] > 0:
		return cli.ExitUnknown
	case s.Outcomes[string(messages.Refused)] > 0:
		return cli.ExitRefused
	}
	return cli.ExitOK
}

// Text is one line for a person.
func (s Sums) Text(took time.Duration) string {
	by := maps.Clone(s.Outcomes)
	if s.Unanswered > 0 {
		by["no answer"] = s.Unanswered
	}
	text := cli.Counted(s.Lines, "line", "lines")
	if len(by) > 0 {
		text += ": " + cli.SumsText(by)
	}
	if s.Faults > 0 {
		text += fmt.Sprintf(" (%s could not be asked)", cli.Counted(s.Faults, "line", "lines"))
	}
	if s.Earlier > 0 {
		text += fmt.Sprintf("; %s by an earlier run", cli.Counted(s.Earlier, "line", "lines"))
	}
	text += ", in " + cli.Roundly(took)
	if asked := s.Lines - s.Earlier - s.Faults; asked > 0 && took >= time.Second {
		text += fmt.Sprintf(" (%s a second)", cli.Grouped(int64(float64(asked)/took.Seconds())))
	}
	return text
}
