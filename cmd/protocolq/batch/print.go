// The answers of a batch as they are printed: Results for a program, CSV, or a table for people.

package batch

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// Printer prints answers, one on each line. Only one goroutine uses it.
type Printer struct {
	out *bufio.Writer
	csv *cli.CSV // nil: another format
	row func(Answer) error
}

var csvColumns = []string{"line", "id", "user_email", "account_no", "outcome", "charge_agent", "refund_charge", "code",
	"retry_after_ms", "run", "message"}

// NewPrinter begins with a row of names if the format has one.
func NewPrinter(w io.Writer, how cli.Rows) (*Printer, error) {
	p := &Printer{out: bufio.NewWriter(w)}
	switch how {
	case cli.RowsCSV:
		var err error
		p.csv, err = cli.NewCSV(p.out, csvColumns)
		p.row = func(a Answer) error { return p.csv.Row(csvCells(a)) }
		return p, err
	case cli.RowsText:
		p.row = p.text
		_, err := fmt.Fprintf(p.out, textRow, "line", "outcome", "debit", "refund", "account", "code")
		return p, err
	}
	p.row = func(a Answer) error { return cli.PrintJSON(p.out, a.Result) }
	return p, nil
}

// Print prints one answer.
func (p *Printer) Print(a Answer) error { return p.row(a) }

// Flush writes out what was printed.
func (p *Printer) Flush() error {
	if p.csv != nil {
		if err := p.csv.Flush(); err != nil {
			return err
		}
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// textRow is as wide as a terminal: a line's width cannot depend on those that come after it.
const textRow = "%-7v %-10s %-5s %-6s %-24s %s\n"

func (p *Printer) text(a Answer) error {
	r, q := a.Result, a.Query
	account := messages.MaskEmail(q.UserEmail)
	if account == "" {
		account = messages.MaskAccount(q.AccountNo)
	}
	last := cli.Printable(r.Code)
	if a.Err != nil {
		last = "no answer"
	}
	_, err := fmt.Fprintf(p.out, textRow, a.Number, r.Outcome, cli.Dash(cli.YesNo(r.ChargeAgent)),
		cli.Dash(cli.YesNo(r.RefundCharge)), cli.Dash(account), cli.Dash(last))
	return err
}

func csvCells(a Answer) []string {
	r := a.Result
	wait := ""
	if r.RetryAfterMs > 0 {
		wait = strconv.FormatInt(r.RetryAfterMs, 10)
	}
	return []string{strconv.Itoa(a.Number), r.ID, a.Query.UserEmail, a.Query.AccountNo, string(r.Outcome),
		truth(r.ChargeAgent), truth(r.RefundCharge), r.Code, wait, r.Run, r.Message}
}

func truth(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}
