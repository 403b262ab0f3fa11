// The page in the browser: its files, its address, the query log that it shows, and its user's
// rights.

package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/logdb"
	"protocolq/cmd/protocolq/settings"
	"protocolq/cmd/protocolq/webhook"
	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

// consoleInbox is the inbox prefix of the page, which is an asker's.
const consoleInbox = "_INBOX_" + messages.ConsoleName

// readConsole reads the files that the page starts with. That others can read or change them, also
// the audit's, is among the warnings of the settings.
func (o *Options) readConsole() error {
	c, faults := &o.Config.Console, []error{o.Config.CheckConsole()}
	add := func(setting string, err error) {
		if err != nil {
			faults = append(faults, &settings.Fault{Setting: setting, Err: err})
		}
	}
	if c.UsersFile != "" {
		_ = o.Config.SecretFile(c.UsersFile) // larger ones than keys are right
		_, err := access.OpenUsers(c.UsersFile)
		add("console-users-file", err)
	}
	if c.AuditFile != "" {
		_ = o.Config.SecretFile(c.AuditFile)
	}
	if c.SessionKeyFile != "" {
		source := o.Config.SecretFile(c.SessionKeyFile)
		err := source.Err
		if err == nil {
			_, err = access.NewSealer(source.Material)
		}
		add("console-session-key-file", err)
	}
	if c.SecretFile != "" {
		add("console-oidc-client-secret-file", o.Config.SecretFile(c.SecretFile).Err)
	}
	if c.WebhookFile != "" {
		source := o.Config.SecretFile(c.WebhookFile)
		err := source.Err
		if err == nil {
			_, err = webhook.ParseTarget(source.Material)
		}
		add("console-webhook-file", err)
	}
	return errors.Join(faults...)
}

// checkConsole looks at what the page needs beside NATS.
func checkConsole(ctx context.Context, o *Options) []Check {
	c := &o.Config.Console
	return []Check{checkAudit(c.AuditFile), checkURL(c.URL, o.Config.ConsoleIsLocal()),
		checkReading(ctx, o.Config.Database)}
}

// checkAudit finds out whether who did what can be kept. It writes nothing.
func checkAudit(path string) Check {
	const name, setting = "console.audit", "console-audit-file"
	if path == "" {
		return skipped(name, "no "+setting+": the last thousand rows are in memory alone")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	switch {
	case err == nil:
		return closed(f, well(name, "%s can be written", path))
	case !errors.Is(err, fs.ErrNotExist):
		return fault(name, err.Error(), setting+" must be a file that this user can write")
	}
	if folder, err := os.Stat(filepath.Dir(path)); err != nil || !folder.IsDir() {
		return fault(name, "there is no folder "+filepath.Dir(path), "make it, for the page's user alone: chmod 700")
	}
	return well(name, "%s is made when the page starts", path)
}

func closed(f *os.File, c Check) Check {
	_ = f.Close() // nothing was written
	return c
}

// checkURL looks at where readers find the page.
func checkURL(text string, local bool) Check {
	const name, setting = "console.url", "console-url"
	u, err := url.Parse(text)
	switch {
	case text == "" && local:
		return skipped(name, "no "+setting+": the page is for this machine")
	case text == "":
		return fault(name, "the page is for others than this machine, and nobody is told where; its cookies are kept "+
			"to TLS only where a proxy of console-proxies says that readers speak it",
			"set "+setting+" to the address that readers type, such as https://protocolq.example.com")
	case err != nil:
		return fault(name, setting+" is no URL", "set it to such as https://protocolq.example.com")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil ||
		!ip.IsLoopback()) {
		return fault(name, "readers come by "+u.Scheme+": passwords and sessions travel as they are",
			"put a proxy that speaks TLS in front, and set "+setting+" to its https address")
	}
	return well(name, "%s", u.Redacted())
}

// checkReading reads the query log as the page does.
func checkReading(ctx context.Context, at string) Check {
	const name = "database"
	if at == "" {
		return skipped(name, "no database: the page shows no query log")
	}
	ctx, cancel := context.WithTimeout(ctx, 3*checkTime)
	defer cancel()
	db, err := logdb.OpenForReading(ctx, at)
	if err == nil {
		_, err = db.List(ctx, database.Filter{}, database.Cursor{}, 1)
		err = errors.Join(err, db.Close())
	}
	if err == nil {
		return well(name, "the query log can be read")
	}
	cure := "can the database be reached from here, may this user read it, and is its password in PGPASSFILE?"
	if end, ok := errors.AsType[*cli.Error](err); ok && end.Hint != "" {
		cure = end.Hint
	}
	return fault(name, strings.ReplaceAll(err.Error(), "\n", "; "), cure)
}

// ofConsole are the rights that the page needs. That it may ask is not tried: a worker would have
// to answer.
func ofConsole(o *Options, n fleet) []right {
	dead, records := n.Stream(messages.Dead), n.api+"DIRECT.GET."+n.Stream(messages.Fleet)+"."
	list := []right{{listen, n.inbox + ".>"}, {listen, n.Members()}, {ask, "$SRV.STATS." + messages.ServiceName},
		{ask, n.api + "STREAM.MSG.DELETE." + dead}, {ask, n.api + "DIRECT.GET." + dead}, {store, n.Redrive("0")},
		{ask, records + n.Partner("0", "halt")}, {store, n.Partner("0", "halt")},
		{ask, records + n.Intake()}, {store, n.Intake()}}
	for _, k := range messages.Kinds() {
		list = append(list, right{ask, n.api + "STREAM.INFO." + n.Stream(k)})
	}
	if !n.scheduled {
		return list
	}
	watches := n.Stream(messages.Watches)
	for _, which := range []string{watches + "." + messages.ConsumerWatches,
		n.Stream(messages.Replies) + "." + messages.ConsoleName} {
		list = append(list, right{ask, n.api + "CONSUMER.INFO." + which},
			right{ask, n.api + "CONSUMER.MSG.NEXT." + which})
	}
	submits := []right{{store, n.Submit()}} // for the workers' default partner
	if len(o.Config.Console.Partners) > 0 {
		submits = nil
	}
	for _, p := range o.Config.Console.Partners {
		submits = append(submits, right{store, n.SubmitOf(p, messages.ConsoleName)})
	}
	return slices.Concat(list, submits, []right{{ask, n.api + "STREAM.INFO." + watches},
		{ask, n.api + "DIRECT.GET." + watches}, {store, n.Watch(messages.WatchKept, "doctor", "doctor")},
		{store, n.Watch(messages.WatchPlan, "doctor", "doctor")}})
}

// beyondConsole are rights that only the page may not have, and takes from all that it may have.
func beyondConsole(all []right, n fleet) []right {
	may := []right{{store, n.Redrive("0")}, {store, n.Intake()}}
	all = slices.DeleteFunc(all, func(r right) bool { return slices.Contains(may, r) })
	return append(all, right{store, n.Partner("0", "doctor")}, right{store, n.Event("0", messages.Signed)},
		right{store, n.Dead("doctor")}, right{store, n.Watch(messages.WatchDue, "doctor", "doctor")},
		right{ask, fmt.Sprintf("%sSTREAM.MSG.DELETE.%s", n.api, n.Stream(messages.Watches))},
		right{ask, fmt.Sprintf("%sCONSUMER.MSG.NEXT.%s.doctor", n.api, n.Stream(messages.Replies))})
}
