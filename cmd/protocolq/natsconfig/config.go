// Accounts, their users, and what one exports to another: the model of a NATS server's
// configuration.

// Package natsconfig writes which user may do what on the NATS servers of a fleet.
//
// A server does not check where an answer goes: a user that may publish into a stream, or send any
// request to JetStream, can name any subject as the reply, and the server writes there with all
// rights of the account. So a user's rights restrict it only in an account that has nothing else:
//
//	PROTOCOLQ        JetStream: the streams, PROVISIONER and WORKER   ◄── the fleet itself
//	   ▲ submit, reply, consumers, one export for each right
//	PROTOCOLQ_DOORS  REPLIES: takes queries, sends replies
//	   ▲ query, $SRV
//	PROTOCOLQ_ASKER_refunds, …_LISTENER_…, …_OPS, …_RECORDER, …_MONITOR   one user each, no JetStream
//
// A subject that is not imported does not exist there: a reply to it goes nowhere.
package natsconfig

// Config is the accounts of a server, the fleet's own first.
type Config struct {
	Accounts []Account
}

// Account is what its users see. Its subjects are exported to users of other accounts by name, see
// [Config.exports].
type Account struct {
	Name      string
	JetStream bool
	Users     []User
}

// User is a user with its own key.
type User struct {
	Name   string // of its key in keys.conf, and of the file of its seed
	Inbox  string // its inbox prefix
	Says   string // what it may do, for readers of the file
	Rights []Right
	// Publish and Subscribe are subjects of its own account.
	Publish   []string
	Subscribe []string
}

// Right is a subject of another account that a user may use.
type Right struct {
	Account string // the account of the subject
	Subject string
	As      string // the subject here; "": the same
	Use     Use
}

// Use is how a subject of another account is used.
type Use int

// The uses.
const (
	Ask       Use = iota // one answer, soon
	Await                // one answer, after the longest patience of an asker
	Pull                 // many answers
	Subscribe            // it is subscribed to
)

// here is the subject in the user's own account.
func (r Right) here() string {
	if r.As != "" {
		return r.As
	}
	return r.Subject
}

// MayPublish lists all subjects that a user may publish to.
func (u User) MayPublish() []string {
	all := append([]string(nil), u.Publish...)
	for _, r := range u.Rights {
		if r.Use != Subscribe {
			all = append(all, r.here())
		}
	}
	return all
}

// MaySubscribe lists all subjects that a user may subscribe to.
func (u User) MaySubscribe() []string {
	all := append([]string(nil), u.Subscribe...)
	for _, r := range u.Rights {
		if r.Use == Subscribe {
			all = append(all, r.here())
		}
	}
	return append(all, u.Inbox+".>")
}

// Users lists the users of all accounts.
func (c Config) Users() (all []User) {
	for _, a := range c.Accounts {
		all = append(all, a.Users...)
	}
	return all
}

// export is a subject of an account, and the accounts that may import it.
type export struct {
	subject string
	use     Use
	to      []string
}

// exports are the exports of an account that the rights of other accounts' users need: nothing is
// exported to an account that does not need it, and nothing to all.
func (c Config) exports(account string) (all []export) {
	at := map[string]int{}
	for _, a := range c.Accounts {
		for _, u := range a.Users {
			for _, r := range u.Rights {
				if r.Account != account {
					continue
				}
				i, known := at[r.Subject]
				if !known {
					i = len(all)
					at[r.Subject] = i
					all = append(all, export{subject: r.Subject, use: r.Use})
				}
				if n := len(all[i].to); n == 0 || all[i].to[n-1] != a.Name {
					all[i].to = append(all[i].to, a.Name)
				}
			}
		}
	}
	return all
}
