// A file of questions for query and submit: its flags, and what a person sees of it.

package ask

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/batch"
	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
)

// fileFlags say which file, and how it is asked.
type fileFlags struct {
	path      string
	window    int
	unordered bool
	resume    string
	askAgain  bool
}

// fileHelp is what the help of both commands says about a file.
const fileHelp = `
With --file each line is a question: CSV with a header (user_email, account_no, partner, id, key,
max_age_ms, deadline_ms, reply_to, biz_type, meta.NAME), JSON objects with the same fields, or one
account a line. Flags fill in what a line leaves out; its id ends in its number. -o jsonl prints one
Result a line. A line that cannot be asked is reported with its number, and the others go on. If an
answer says when to ask again, the command does so within --timeout. While the workers take no query,
no line is begun; if no worker answers, the command ends. With --resume each line is asked once, even
if the command is stopped or killed and run again: it prints what is known and asks the rest.
Exit codes with --file: 0 each line was answered, signed or not · 4 lines were refused · 5 unknown
6 lines have no answer · 130 stopped; the worst one counts`

// maxWindow bounds what is on its way, and with it the memory.
const maxWindow = 4096

func (f *fileFlags) add(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.path, "file", "", "ask each line of this file, - for standard input")
	fs.IntVar(&f.window, "window", 32, "with --file, how many lines may be on their way at once, 4096 at most")
	fs.BoolVar(&f.unordered, "unordered", false,
		"with --file, print answers as they come, not in the order of the lines")
	fs.StringVar(&f.resume, "resume", "",
		"with --file, keep in this file what was asked and answered, and go on from there")
	fs.BoolVar(&f.askAgain, "ask-again", false, "with --resume, ask the lines again that are unknown or have no answer")
	cli.Must(c.MarkFlagFilename("file", "csv", "jsonl", "txt"))
}

func (f *fileFlags) check(fs *pflag.FlagSet) error {
	if err := cli.CheckGiven(fs, "file", "resume"); err != nil {
		return err
	}
	given := func(names ...string) string {
		for _, name := range names {
			if fs.Changed(name) {
				return name
			}
		}
		return ""
	}
	switch alone := given("window", "unordered", "resume", "ask-again"); {
	case f.path == "" && alone != "":
		return cli.Usage("--%s goes with --file", alone)
	case f.path == "":
		return nil
	}
	if own := given("email", "account", "id", "key"); own != "" {
		return cli.Usage("--%s is of one question: with --file, each line says its own", own)
	}
	switch {
	case f.window < 1 || f.window > maxWindow:
		return cli.Usage("--window must be 1 to %d", maxWindow)
	case f.askAgain && f.resume == "":
		return cli.Usage("--ask-again goes with --resume")
	}
	return nil
}

// askFile asks every line by d.
func (a *asking) askFile(c *cobra.Command, d door) (err error) {
	defaults, err := a.defaults(c)
	if err != nil {
		return err
	}
	lines, err := a.file.open(c, batch.NewReader)
	if err != nil {
		return err
	}
	id := strings.ToLower(rand.Text()[:10])
	var state *batch.State
	if a.file.resume != "" {
		if state, err = batch.OpenState(a.file.resume, c.Name(), id); err != nil {
			return &cli.Error{Code: cli.ExitUsage, Err: err}
		}
		defer func() { err = errors.Join(err, state.Close()) }()
		id = state.Batch()
		if n := state.Cut(); n > 0 {
			fmt.Fprintf(c.ErrOrStderr(),
				"the last %d bytes of %s were never written as a whole: cut off, what stands before counts\n", n,
				a.file.resume)
		}
	}
	lines.Fill(defaults, id)
	nc, err := natsconn.Dial(a.cfg, c.Name())
	if err != nil {
		return err
	}
	defer nc.Close()
	rows, err := batch.NewPrinter(c.OutOrStdout(), *a.out)
	if err != nil {
		return err
	}
	beside := a.file.beside(c, min(a.timeout, drain))
	ctx, stop := natsconn.WhileAllowed(c.Context(), nc)
	defer stop()
	o := batch.Options{Window: a.file.window, Unordered: a.file.unordered, State: state, AskAgain: a.file.askAgain,
		Drain: min(a.timeout, drain), Flush: rows.Flush,
		Print: func(r batch.Answer) error { beside.show(r); return rows.Print(r) }}
	ctx, end, err := d.fill(ctx, nc, id, &o)
	if err != nil {
		return err
	}
	begun := time.Now()
	sums, err := batch.Run(ctx, lines.Next, o)
	end()
	beside.end(sums.Text(time.Since(begun)))
	return a.ended(err, sums, nc)
}

// drain is how long a stopped batch waits for what is under way.
const drain = 10 * time.Second

// open begins to read the file. Only a signal ends the opening of a pipe without a writer.
func (f *fileFlags) open(c *cobra.Command, read func(io.Reader) (*batch.Reader, error)) (*batch.Reader, error) {
	return cli.UntilStopped(f.path, func() (*batch.Reader, error) {
		in := c.InOrStdin()
		if f.path != "-" {
			file, err := os.Open(f.path) // closed by the program's end
			if err != nil {
				return nil, err
			}
			in = file
		}
		lines, err := read(in)
		if err != nil {
			return nil, cli.Usage("%s:1: %w", f.name(), err)
		}
		return lines, nil
	})
}

// name is the file's name in messages about its lines.
func (f *fileFlags) name() string {
	if f.path == "-" {
		return "standard input"
	}
	return f.path
}

// ended is the end of a batch as an exit code, with what to do.
func (a *asking) ended(err error, sums batch.Sums, nc *nats.Conn) error {
	if err == nil {
		return cli.Exit(sums.Exit())
	}
	return endedEarly(err, nc, a.cfg.Prefix, a.file.goOn())
}

// endedEarly says what to do about a file that was not asked to its end; goOn says how to continue.
func endedEarly(err error, nc *nats.Conn, prefix, goOn string) error {
	silent, isSilent := errors.AsType[*batch.SilentError](err)
	forbidden := natsconn.Forbade(nc)
	switch {
	case forbidden != nil && (isSilent || errors.Is(err, context.Canceled)):
		return natsconn.NoAnswer(forbidden, "what is below "+prefix, 0)
	case isSilent && silent.Err == nil:
		return &cli.Error{Code: cli.ExitUnknown, Err: err, Hint: "have operators paused the intake? " + goOn}
	case isSilent:
		return &cli.Error{Code: cli.ExitNoAnswer, Err: err,
			Hint: "are workers running, and the streams there? --nats and --prefix say where; " + goOn}
	}
	return err
}

// goOn says how to continue a batch that ended early.
func (f *fileFlags) goOn() string {
	if f.resume == "" {
		return "--resume keeps what was answered, so that the same command can go on"
	}
	return "the same command with --ask-again goes on"
}

// defaults are the values of the command line for fields that a line leaves out.
func (a *asking) defaults(c *cobra.Command) (messages.Query, error) {
	if err := a.checkPartner(); err != nil {
		return messages.Query{}, err
	}
	return a.fields(c)
}
