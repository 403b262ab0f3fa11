// The configuration as the server reads it.

package natsconfig

import (
	"fmt"
	"strings"
)

// head begins every file that nats-config writes: a file without it is foreign.
const head = "# Written by protocolq nats-config"

// UsersConf is the file of the accounts. It includes keys.conf, see [Config.KeysConf].
func (c Config) UsersConf(command string) string {
	w := &writer{}
	w.line("%s, which writes it again: %s", head, command)
	w.line("# Who may do what, no more than each needs; README.md says in words what each can do.")
	w.line("")
	w.line("# The public key of each user, a variable each.")
	w.line(`include "keys.conf"`)
	w.line("")
	w.block("accounts", func() {
		for i, a := range c.Accounts {
			if i > 0 {
				w.line("")
			}
			c.account(w, a)
		}
	})
	return w.String()
}

// KeysConf is the file of the users' public keys, by their names.
func (c Config) KeysConf(public map[string]string) string {
	w := &writer{}
	w.line("%s. The public key of each user; the seed (SU…) is in the file of its name.", head)
	for _, u := range c.Users() {
		w.line("%s = %s", u.Name, public[u.Name])
	}
	return w.String()
}

func (c Config) account(w *writer, a Account) {
	w.block(a.Name, func() {
		if a.JetStream {
			w.line("jetstream: enabled")
		}
		w.list("users", len(a.Users), func(i int) { a.Users[i].write(w) })
		exports := c.exports(a.Name)
		w.list("exports", len(exports), func(i int) { exports[i].write(w) })
		var imports []Right
		for _, u := range a.Users {
			imports = append(imports, u.Rights...)
		}
		w.list("imports", len(imports), func(i int) { imports[i].write(w) })
	})
}

func (u User) write(w *writer) {
	w.line("# %s", u.Says)
	w.block("", func() {
		w.line("nkey: $%s", u.Name)
		w.block("permissions", func() {
			w.subjects("publish", u.MayPublish())
			w.subjects("subscribe", u.MaySubscribe())
		})
	})
}

func (e export) write(w *writer) {
	kind, more := "service", ""
	switch e.use {
	case Await:
		more = fmt.Sprintf(", threshold: %q", longestAwait)
	case Pull:
		more = fmt.Sprintf(", response: stream, threshold: %q", longestPull)
	case Subscribe:
		kind = "stream"
	}
	w.line("{ %s: %q, accounts: [%s]%s }", kind, e.subject, strings.Join(e.to, ", "), more)
}

func (r Right) write(w *writer) {
	kind, as := "service", ""
	if r.Use == Subscribe {
		kind = "stream"
	}
	if r.As != "" {
		as = fmt.Sprintf(", to: %q", r.As)
	}
	w.line("{ %s: { account: %s, subject: %q }%s }", kind, r.Account, r.Subject, as)
}

// writer writes lines, each as deep as its block.
type writer struct {
	strings.Builder
	depth int
}

func (w *writer) line(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != "" {
		w.WriteString(strings.Repeat("    ", w.depth) + text)
	}
	w.WriteByte('\n')
}

func (w *writer) nest(before, open, closing string, inside func()) {
	w.line("%s", strings.TrimSpace(before+" "+open))
	w.depth++
	inside()
	w.depth--
	w.line("%s", closing)
}

func (w *writer) block(name string, inside func()) { w.nest(name, "{", "}", inside) }

// list writes n elements; without any it writes nothing.
func (w *writer) list(name string, n int, element func(i int)) {
	if n == 0 {
		return
	}
	w.nest(name+":", "[", "]", func() {
		for i := range n {
			element(i)
		}
	})
}

func (w *writer) subjects(name string, all []string) {
	w.list(name, len(all), func(i int) { w.line("%q", all[i]) })
}
