// Lines of CSV: a header names the fields of a Query, or each line is one account.

package batch

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// columns are the allowed names in a header, and where each cell goes.
var columns = map[string]func(q *messages.Query, cell string) error{
	"id":          func(q *messages.Query, cell string) error { q.ID = cell; return nil },
	"key":         func(q *messages.Query, cell string) error { q.Key = cell; return nil },
	"partner":     func(q *messages.Query, cell string) error { q.Partner = cell; return nil },
	"user_email":  func(q *messages.Query, cell string) error { q.UserEmail = cell; return nil },
	"email":       func(q *messages.Query, cell string) error { q.UserEmail = cell; return nil },
	"account_no":  func(q *messages.Query, cell string) error { q.AccountNo = cell; return nil },
	"account":     func(q *messages.Query, cell string) error { q.AccountNo = cell; return nil },
	"biz_type":    func(q *messages.Query, cell string) error { q.BizType = cell; return nil },
	"reply_to":    func(q *messages.Query, cell string) error { q.ReplyTo = cell; return nil },
	"deadline_ms": func(q *messages.Query, cell string) error { return number(&q.DeadlineMs, cell) },
	"max_age_ms": func(q *messages.Query, cell string) error {
		q.MaxAgeMs = new(int64)
		return number(q.MaxAgeMs, cell)
	},
}

func number(n *int64, cell string) (err error) {
	if *n, err = strconv.ParseInt(cell, 10, 64); err != nil {
		return errors.New("must be a whole number")
	}
	return nil
}

// answers are the additional names if answers are recorded.
var answers = map[string]func(r *messages.Result, cell string) error{
	"outcome":       outcome,
	"charge_agent":  func(r *messages.Result, cell string) (err error) { r.ChargeAgent, err = flag(cell); return err },
	"debit":         func(r *messages.Result, cell string) (err error) { r.ChargeAgent, err = flag(cell); return err },
	"refund_charge": func(r *messages.Result, cell string) (err error) { r.RefundCharge, err = flag(cell); return err },
	"refund":        func(r *messages.Result, cell string) (err error) { r.RefundCharge, err = flag(cell); return err },
	"user_id":       func(r *messages.Result, cell string) error { r.UserID = cell; return nil },
	"code":          func(r *messages.Result, cell string) error { r.Code = cell; return nil },
	"line":          passOver, "retry_after_ms": passOver, "run": passOver, "message": passOver,
}

func passOver(*messages.Result, string) error { return nil }

func outcome(r *messages.Result, cell string) error {
	if r.Outcome = messages.Outcome(strings.ToLower(cell)); !r.Outcome.Valid() {
		return errors.New("is not an outcome: signed, not_signed, abnormal, refused or unknown")
	}
	return nil
}

func flag(cell string) (*bool, error) {
	var on bool
	switch strings.ToLower(cell) {
	case "true", "t", "yes", "y", "1":
		on = true
	case "false", "f", "no", "n", "0":
	default:
		return nil, errors.New("must be true or false")
	}
	return &on, nil
}

// otherNames are the short names of fields.
var otherNames = map[string]string{"email": "user_email", "account": "account_no", "debit": "charge_agent",
	"refund": "refund_charge"}

// metaColumn begins the names of columns that are echoed in the answer.
const metaColumn = "meta."

// header is how the lines below it are read.
type header struct {
	comma    rune
	names    []string
	recorded bool // the lines may also have answers
}

// newHeader reads a first line. Spreadsheets also write semicolons and tabs.
func newHeader(line string, recorded bool) (*header, error) {
	h := &header{comma: ',', recorded: recorded}
	if i := strings.IndexAny(line, ",;\t"); i >= 0 {
		h.comma = rune(line[i])
	}
	var err error
	if h.names, err = h.cells(line); err != nil {
		return nil, fmt.Errorf("the header is not CSV: %w", err)
	}
	fields := map[string]bool{}
	for i, name := range h.names {
		name = columnName(name)
		if h.names[i] = name; columns[name] == nil && !strings.HasPrefix(name, metaColumn) &&
			(answers[name] == nil || !recorded) {
			// Without a header this is a customer.
			return nil, fmt.Errorf("column %q is not known: a header names some of %s", cli.Masked(name), h.known())
		}
		field := cmp.Or(otherNames[name], name)
		if fields[field] { // the last of them would count, and nobody would see it
			return nil, fmt.Errorf("column %q: another column is for %s, too; leave out one of them", name, field)
		}
		fields[field] = true
	}
	return h, nil
}

// columnName is a column's name in any spelling; in meta the asker's own name stays as it is.
func columnName(cell string) string {
	if n := len(metaColumn); len(cell) > n && strings.EqualFold(cell[:n], metaColumn) {
		return metaColumn + cell[n:]
	}
	return strings.ToLower(cell)
}

// cells are the cells of one line; a cell cannot continue on the next.
func (h *header) cells(line string) ([]string, error) {
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.FieldsPerRecord = h.comma, -1
	cells, err := r.Read()
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		err = parse.Err // its line number is not the file's
	}
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells, err
}

// known lists the known names, for the error of an unknown one.
func (h *header) known() string {
	text := "user_email, account_no, partner, id, key, max_age_ms, deadline_ms, reply_to, biz_type, and meta.NAME " +
		"for what is to come back with the answer"
	if h.recorded {
		text += "; of the recorded answer outcome, charge_agent, refund_charge, user_id, code"
	}
	return text
}

func (h *header) parse(text []byte, l *Line) {
	cells, err := h.cells(string(text))
	switch {
	case err != nil:
		l.Fault = fault("", "not CSV: "+err.Error())
		return
	case len(cells) > len(h.names):
		l.Fault = fault("", fmt.Sprintf("has %d columns, the header %d", len(cells), len(h.names)))
		return
	}
	l.Query.V = messages.Version
	for i, cell := range cells {
		if err := h.put(h.names[i], cell, l); err != nil {
			l.Fault = fault(h.names[i], err.Error())
			return
		}
	}
	l.Fault = asFault(l.Query.Check())
}

// put takes in one cell; an empty one has no effect.
func (h *header) put(name, cell string, l *Line) error {
	meta, isMeta := strings.CutPrefix(name, metaColumn)
	switch {
	case cell == "":
	case isMeta:
		if l.Query.Meta == nil {
			l.Query.Meta = map[string]string{}
		}
		l.Query.Meta[meta] = cell
	case columns[name] != nil:
		return columns[name](&l.Query, cell)
	default:
		return answers[name](&l.Recorded, cell)
	}
	return nil
}

// isAccount tells an account from a header: no column's name has an @ or only digits.
func isAccount(line string) bool {
	return !strings.ContainsAny(line, ",;\t") &&
		(strings.Contains(line, "@") || strings.Trim(line, "+-0123456789") == "")
}

// accountDigits is the least number of digits of an account's number; fewer are a phone number.
const accountDigits = 16

// parseAccount reads a line that is a login or an account's number.
func parseAccount(text []byte, l *Line) {
	q := messages.Query{V: messages.Version, UserEmail: string(text)}
	if len(text) >= accountDigits && strings.Trim(q.UserEmail, "0123456789") == "" {
		q.UserEmail, q.AccountNo = "", q.UserEmail
	}
	l.Query, l.Fault = q, asFault(q.Check())
}
