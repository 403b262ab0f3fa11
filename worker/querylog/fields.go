// The names of lines on the wire: one list for both directions, so that writing and reading cannot
// differ.

package querylog

import "strings"

// Bounds of texts in bytes. A longer text is cut when written and refused when read.
const (
	maxID      = 128
	maxWord    = 64
	maxSubject = 255
	maxMask    = 64
)

// fields lists the fields of a run's line. A name never gets another meaning; new names are added.
func (r *Run) fields(c *codec) {
	c.text("run", &r.ID, maxID)
	c.time("at", &r.At)
	c.time("done", &r.AnsweredAt)
	c.masked("key", &r.Key)
	c.text("par", &r.Partner, maxWord)
	c.masked("mail", &r.Email)
	c.masked("acc", &r.Account)
	c.text("out", &r.Outcome, maxWord)
	c.text("code", &r.Code, maxWord)
	c.text("class", &r.Class, maxWord)
	c.maybe("debit", &r.Debit)
	c.maybe("refund", &r.Refund)
	c.text("ver", &r.Verified, maxWord)
	c.text("by", &r.Worker, maxID)
	c.count("deaths", &r.Deaths)
	c.attempts("calls", &r.Attempts)
}

func (a *Attempt) fields(c *codec) {
	c.time("at", &a.At)
	c.span("dns", &a.DNS)
	c.span("conn", &a.Connect)
	c.span("tls", &a.TLS)
	c.span("first", &a.FirstByte)
	c.span("body", &a.Body)
	c.span("all", &a.Total)
	c.text("code", &a.Code, maxWord)
	c.text("class", &a.Class, maxWord)
	c.count("http", &a.HTTPStatus)
	c.count("size", &a.Bytes)
	c.flag("reused", &a.Reused)
	c.flag("cut", &a.Cut)
	c.text("type", &a.ContentType, maxID)
}

func (a *Ask) fields(c *codec) {
	if c.writing {
		b := *a
		b.hide()
		a = &b
	} else {
		defer a.hide() // a line that no worker wrote
	}
	c.text("tok", &a.Token, maxID)
	c.time("at", &a.At)
	c.time("done", &a.AnsweredAt)
	c.text("id", &a.Request.text, maxRequest)
	c.text("run", &a.Run, maxID)
	c.masked("key", &a.Key)
	c.text("par", &a.Partner, maxWord)
	c.masked("mail", &a.Email)
	c.masked("acc", &a.Account)
	c.text("src", &a.Source, maxWord)
	c.text("door", &a.Door, maxWord)
	c.text("sub", &a.Subject, maxSubject)
	c.text("rep", &a.Reply, maxSubject)
	c.text("out", &a.Outcome, maxWord)
	c.text("code", &a.Code, maxWord)
	c.text("trace", &a.Trace, maxWord)
	c.text("field", &a.Field, maxWord)
}

// hide leaves out text that might be personal, and that no reader needs exactly: it neither leaves
// the process nor gets into a database.
func (a *Ask) hide() {
	a.Subject = clean(shownSubject(a.Subject, a.Partner), maxSubject)
	a.Reply, a.Trace = clean(ReplyPrefix(a.Reply), maxSubject), traceID(a.Trace)
}

// shownSubject is subject with *** for each token that may name a person. The partner's own token
// has 16 digits like an account, but is not one.
func shownSubject(subject, partner string) string {
	if plain(subject) {
		return subject
	}
	tokens := strings.Split(subject, ".")
	for i, t := range tokens {
		if t != partner && personal(t) {
			tokens[i] = hidden
		}
	}
	return strings.Join(tokens, ".")
}

// ReplyPrefix says roughly where a reply went, but not to whom: the first token of an inbox, the
// first two tokens of any other subject.
func ReplyPrefix(subject string) string {
	end := strings.IndexByte(subject, '.')
	if end >= 0 && subject[0] != '_' {
		if next := strings.IndexByte(subject[end+1:], '.'); next >= 0 {
			end += 1 + next
		} else {
			end = -1
		}
	}
	if end < 0 {
		end = len(subject)
	}
	return shownSubject(subject[:end], "")
}

// traceID returns the trace id of a traceparent.
func traceID(s string) string {
	if len(s) == 55 {
		s = s[3:35]
	}
	if len(s) != 32 || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}
