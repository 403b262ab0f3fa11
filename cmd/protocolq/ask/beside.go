// What a person sees of a file while it is asked, on standard error: lines that cannot be asked, a
// bar, and the sums.

package ask

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
)

// maxNotes is how many lines are reported one by one.
const maxNotes = 20

// beside is used by one goroutine, the one that prints.
type beside struct {
	w     io.Writer
	bar   *cli.Progress
	name  string // of the file
	lines int64
	notes int
}

// beside begins a bar, and at a signal says how long the command still waits.
func (f *fileFlags) beside(c *cobra.Command, drain time.Duration) *beside {
	b := &beside{w: c.ErrOrStderr(), name: f.name()}
	total := int64(0)
	if cli.IsTerminal(b.w) {
		total = f.count()
	}
	b.bar = cli.NewProgress(b.w, total, "lines")
	context.AfterFunc(c.Context(), func() {
		fmt.Fprintf(b.w, "stopping: waiting %s at most for the answers under way; ^C leaves them\n", cli.Short(drain))
	})
	return b
}

// show counts one answer, and reports a line that could not be asked.
func (b *beside) show(a batch.Answer) {
	if a.Fault != nil {
		b.note(a.Number, a.Fault.Message())
	}
	b.lines++
	b.bar.Show(b.lines)
}

// note reports one line, with what may be personal masked.
func (b *beside) note(number int, text string) {
	b.notes++
	switch {
	case b.notes <= maxNotes:
		b.bar.Clear()
		fmt.Fprintf(b.w, "%s:%d: %s\n", cli.Printable(b.name), number, cli.Printable(cli.Masked(text)))
	case b.notes == maxNotes+1:
		b.bar.Clear()
		fmt.Fprintln(b.w, "more such lines are counted, and not reported")
	}
}

// end removes the bar and prints the sums.
func (b *beside) end(sums string) {
	b.bar.Clear()
	fmt.Fprintln(b.w, sums)
}

// count is how many lines a file has, 0 if that cannot be known before they are read.
func (f *fileFlags) count() (n int64) {
	info, err := os.Stat(f.path)
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	file, err := os.Open(f.path)
	if err != nil {
		return 0
	}
	defer file.Close()
	in, block := bufio.NewReader(file), make([]byte, 64<<10)
	for {
		k, err := in.Read(block)
		n += int64(bytes.Count(block[:k], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			return 0
		}
	}
}
