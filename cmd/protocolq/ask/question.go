// The question as flags, shared by the commands that ask: query, submit, call and form.

package ask

import (
	"time"
	"unicode/utf8"

	"github.com/nats-io/nuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
)

// question is the flags for one query.
type question struct {
	email, account string
	partner        string
	id, key        string
	maxAge         time.Duration
	replyTo        string
}

// addAccount adds what every asking command needs.
func (q *question) addAccount(fs *pflag.FlagSet) {
	fs.StringVar(&q.email, "email", "", "the account's login: an e-mail address or a phone number")
	fs.StringVar(&q.account, "account", "", "the account's number, 16 to 20 digits; at least one of the two")
}

// addMessage adds what only a message has.
func (q *question) addMessage(fs *pflag.FlagSet) {
	fs.StringVar(&q.partner, "partner", "",
		"ask for this partner, 2088 and 12 digits, on its own subject (default: the worker's partner)")
	fs.StringVar(&q.id, "id", "", "your name for this ask, echoed in the answer (default: a new one)")
	fs.StringVar(&q.key, "key", "", "same key, same request: asked once, remembered for the worker's window")
	fs.DurationVar(&q.maxAge, "max-age", 0,
		"how old a remembered answer may be (default: what the worker remembers); one younger than the workers' "+
			"min-age, 2s, is always used")
}

// message makes the query. It checks only the command line itself; a worker checks the rest, and
// its refusal says more.
func (q *question) message(c *cobra.Command) (messages.Query, error) {
	if err := q.check(); err != nil {
		return messages.Query{}, err
	}
	m, err := q.fields(c)
	if m.ID == "" {
		m.ID = nuid.Next()
	}
	return m, err
}

// fields are what the flags say.
func (q *question) fields(c *cobra.Command) (messages.Query, error) {
	if err := checkTexts(c.Flags()); err != nil {
		return messages.Query{}, err
	}
	m := messages.Query{V: messages.Version, ID: q.id, Key: q.key, Partner: q.partner,
		UserEmail: q.email, AccountNo: q.account, ReplyTo: q.replyTo}
	if c.Flags().Changed("max-age") {
		if q.maxAge < 0 {
			return m, cli.Usage("--max-age must not be negative")
		}
		ms := q.maxAge.Milliseconds()
		m.MaxAgeMs = &ms
	}
	return m, nil
}

func (q *question) check() error {
	if q.email == "" && q.account == "" {
		return cli.Usage("--email or --account is needed")
	}
	return q.checkPartner()
}

func (q *question) checkPartner() error {
	if err := settings.CheckPartnerID(q.partner); q.partner != "" && err != nil {
		return cli.Usage("--partner %w", err)
	}
	return nil
}

// checkTexts reports values that no message can hold, and empty ones: without --reply-to the answer
// would go nowhere. An empty --email together with an --account, or the reverse, counts as not
// given.
func checkTexts(fs *pflag.FlagSet) error {
	for _, name := range [...]string{"email", "account", "id", "key", "partner", "reply-to"} {
		if !utf8.ValidString(fs.Lookup(name).Value.String()) { // not shown: it may be personal
			return cli.Usage("--%s is not UTF-8", name)
		}
	}
	return cli.CheckGiven(fs, "id", "key", "partner", "reply-to")
}
