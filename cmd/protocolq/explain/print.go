// An entry as text: a heading, then a block of lines for each language.

package explain

import (
	"fmt"
	"io"
	"strings"
)

// Languages are the languages of Print.
var Languages = []string{"both", "en", "zh"}

// Print writes an entry to a person, in "en", "zh" or "both".
func (e *Entry) Print(w io.Writer, language string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s, %s\n", e.Code, e.Class, e.Outcome)
	if language != "zh" {
		fmt.Fprintf(&b, "  meaning    %s\n  to do      %s\n  who        %s\n  ask again  %s\n", e.MeaningEN, e.DoEN,
			e.WhoEN, e.AgainEN)
	}
	if language != "en" {
		fmt.Fprintf(&b, "  含义      %s\n  处理      %s\n  负责方    %s\n  再次查询  %s\n", e.MeaningZH, e.DoZH, e.WhoZH,
			e.AgainZH)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintLine writes the entry's code, who must act and its meaning, as a row of the list of all.
func (e *Entry) PrintLine(w io.Writer, language string) error {
	meaning := e.MeaningEN
	if language == "zh" {
		meaning = e.MeaningZH
	}
	_, err := fmt.Fprintf(w, "%-28s  %-8s  %s\n", e.Code, e.Who, meaning)
	return err
}
