// View: a snapshot as lines of text that fit on the screen.

package watch

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/snapshot"
	"protocolq/messages"
	"protocolq/worker"
)

// view is what is shown. Width and height are those of the terminal; 0 is no bound.
type view struct {
	prefix, server string
	now, before    snapshot.Fleet
	width, height  int
}

// section is a part of the view: its lines, the first of them the header.
type section struct {
	lines []string
	most  int // lines that are shown first if there is no room for all
}

// text is the whole view, each line ended.
func (v *view) text() string {
	rates := v.now.Since(&v.before)
	sections := []section{v.head(&rates), v.troubles(), v.workers(&rates), v.partners(&rates), v.slow(), v.streams()}
	shown := room(sections, v.height)
	var b strings.Builder
	for i, s := range sections {
		for n, line := range s.lines[:shown[i]] {
			if n == shown[i]-1 && shown[i] < len(s.lines) {
				line = fmt.Sprintf("… %d more", len(s.lines)-n)
			}
			b.WriteString(cut(line, v.width))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// room divides lines among sections: each gets its first ones, then the rest is shared in turn.
func room(sections []section, height int) []int {
	shown := make([]int, len(sections))
	left := height
	for i, s := range sections {
		shown[i] = len(s.lines)
		if height > 0 {
			shown[i] = min(len(s.lines), s.most, max(left, 0))
			left -= shown[i]
		}
	}
	for more := height > 0; more && left > 0; {
		more = false
		for i, s := range sections {
			if shown[i] < len(s.lines) && left > 0 {
				shown[i]++
				left--
				more = true
			}
		}
	}
	return shown
}

func (v *view) head(r *snapshot.Rates) section {
	paused := ""
	if slices.ContainsFunc(v.now.Workers, func(w worker.Stats) bool { return w.Paused }) {
		paused = "  INTAKE PAUSED"
	}
	calls := 0.0
	for _, n := range r.Calls {
		calls += n
	}
	took := "-"
	if r.P95 > 0 {
		took = cli.Short(r.P50) + " / " + cli.Short(r.P95)
	}
	return section{most: 3, lines: []string{
		fmt.Sprintf("protocolq top  %s  %s  %s  %s%s", v.prefix, v.server, v.now.At.Format(time.TimeOnly),
			cli.Counted(int64(len(v.now.Workers)), "worker", "workers"), paused),
		"replies/s  " + ratesText(r.Outcomes, outcomes()),
		fmt.Sprintf("from       %s   calls/s %s  p50 / p95 %s",
			ratesText(r.Sources, []string{string(messages.Asked), string(messages.Joined),
				string(messages.Remembered)}), number(calls), took),
	}}
}

func outcomes() (list []string) {
	for _, o := range messages.Outcomes() {
		list = append(list, string(o))
	}
	return list
}

// ratesText lists the rates of names that exist, in the order of names.
func ratesText(rates map[string]float64, names []string) string {
	var words []string
	for _, name := range names {
		if rates[name] > 0 {
			words = append(words, name+" "+number(rates[name]))
		}
	}
	return cmp.Or(strings.Join(words, "  "), "none")
}

// troubles are what an operator looks for first.
func (v *view) troubles() section {
	var lines []string
	say := func(format string, args ...any) {
		lines = append(lines, "! "+cli.Printable(fmt.Sprintf(format, args...)))
	}
	if len(v.now.Workers) == 0 {
		say("no worker answers: nobody who waits is answered")
	}
	for i := range v.now.Workers {
		w := &v.now.Workers[i]
		for _, sink := range w.Outbox.Sinks {
			if sink.Away {
				say("%s: nothing takes %s, %d wait", short(w.Member), sink.Name, sink.Waiting)
			}
		}
		if w.LogFull {
			say("%s: the query log takes no lines: they wait", short(w.Member))
		}
		if w.JournalFill > 0.7 {
			say("%s: the workers' log is %s full", short(w.Member), percent(w.JournalFill))
		}
	}
	for _, fault := range v.now.Faults {
		say("%s", fault)
	}
	return section{lines: lines, most: 4}
}

func (v *view) workers(r *snapshot.Rates) section {
	t := table("WORKER", "KEYS", "LEASE", "LAG", "CALLS", "PARKED", "PENDING", "OUTBOX", "CALLS/s", "UP")
	for i := range v.now.Workers {
		w := &v.now.Workers[i]
		lease := "-"
		if w.LeaseMs > 0 {
			lease = cli.Short(time.Duration(w.LeaseMs/100*100) * time.Millisecond)
		}
		t.row(short(w.Member), cli.Grouped(int64(w.Keys)), lease, cli.Grouped(int64(v.now.Lag(w))),
			fmt.Sprintf("%d/%d", w.InFlight, w.Slots), cli.Grouped(int64(w.Parked)),
			cli.Grouped(int64(w.Pending)), cli.Grouped(int64(w.Outbox.Waiting)), number(r.Calls[w.Member]),
			cli.Roundly(cli.Millis(w.UptimeMs)))
	}
	return section{lines: t.lines(), most: 6}
}

func (v *view) partners(r *snapshot.Rates) section {
	t := table("PARTNER", "STATE", "CALLS/s", "LIMIT", "WHY, WHO, HOW LONG")
	// halted ones first
	all := slices.SortedStableFunc(slices.Values(r.Partners),
		func(a, b snapshot.Partner) int { return cmp.Compare(b.Workers, a.Workers) })
	for _, p := range all {
		state, why, limit := "serving", "", "-"
		if p.Halt.Halted {
			state = "HALTED"
			since := v.now.At.Sub(time.UnixMilli(p.Halt.SinceMs))
			if n := v.serving(p.ID); p.Workers < n {
				state += fmt.Sprintf(" %d of %d", p.Workers, n)
			}
			why = strings.TrimSpace(p.Halt.Code+" "+p.Halt.Reason) + "; " +
				strings.TrimSpace(p.Halt.By+" "+p.Halt.Who) + ", for " + cli.Roundly(max(0, since))
		}
		if p.Limits.Rate > 0 {
			limit = fmt.Sprintf("%d/s", p.Limits.Rate)
		}
		if p.Limits.Concurrency > 0 {
			limit = strings.TrimPrefix(limit+fmt.Sprintf(", %d at once", p.Limits.Concurrency), "-, ")
		}
		t.row(p.ID, state, number(p.PerS), limit, why)
	}
	return section{lines: t.lines(), most: 4}
}

// serving is how many workers ask for a partner.
func (v *view) serving(partner string) (n int) {
	for i := range v.now.Workers {
		if _, ok := v.now.Workers[i].Partners[partner]; ok {
			n++
		}
	}
	return n
}

func (v *view) slow() section {
	var all []worker.SlowCall
	for i := range v.now.Workers {
		all = append(all, v.now.Workers[i].Slow...)
	}
	slices.SortStableFunc(all, func(a, b worker.SlowCall) int { return cmp.Compare(b.ForMs, a.ForMs) })
	t := table("SLOW CALL", "PARTNER", "ATTEMPT", "FOR")
	for _, c := range all {
		t.row(c.Account, c.Partner, fmt.Sprint(c.Attempt), cli.Short(cli.Millis(c.ForMs/100*100)))
	}
	return section{lines: t.lines(), most: 3}
}

func (v *view) streams() section {
	t := table("STREAM", "MESSAGES", "FULL", "OLDEST")
	for _, s := range v.now.Streams {
		full, oldest := "-", "-"
		if s.Fill > 0 {
			full = percent(s.Fill)
		}
		if s.OldestMs > 0 {
			oldest = cli.Roundly(cli.Millis(s.OldestMs))
		}
		t.row(string(s.Kind), cli.Grouped(int64(s.Messages)), full, oldest)
	}
	return section{lines: t.lines(), most: 8}
}

// rows are a table that is written into lines; without a row it has none.
type rows struct {
	header []string
	cells  [][]string
}

func table(header ...string) *rows { return &rows{header: header} }

func (r *rows) row(cells ...string) { r.cells = append(r.cells, cells) }

func (r *rows) lines() []string {
	if len(r.cells) == 0 {
		return nil
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, line := range append([][]string{r.header}, r.cells...) {
		for i := range line {
			line[i] = cli.Printable(line[i])
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	_ = w.Flush() // into memory
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}

// short is the distinguishing end of a member's name: names of one process differ at the end.
func short(member string) string {
	if n := utf8.RuneCountInString(member); n > 8 {
		return "…" + string([]rune(member)[n-7:])
	}
	return member
}

func percent(part float64) string { return fmt.Sprintf("%.0f%%", 100*part) }

// number is a rate: whole from 10 on.
func number(n float64) string {
	if n > 0 && n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return cli.Grouped(int64(n + 0.5))
}

// cut is a line of at most width.
func cut(line string, width int) string {
	if width <= 0 || utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width-1]) + "…"
}
