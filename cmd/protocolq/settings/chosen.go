// Which context is used: a pure function of the command line, the environment and the user's
// folder.

package settings

import (
	"os"
	"slices"

	"github.com/spf13/pflag"

	"protocolq/cmd/protocolq/cli"
)

// Where the name of a context can come from.
const (
	fromFlag     = "--context"
	fromVariable = "PROTOCOLQ_CONTEXT"
	fromSelected = "selected"
	fromDev      = "a running protocolq dev"
)

// given is everything that decides which context counts.
type given struct {
	named    bool      // --context is given; '' also counts as given, and means none
	name     string    // of --context
	variable string    // PROTOCOLQ_CONTEXT
	file     bool      // a settings file is given
	selected string    // by 'protocolq context select'
	said     bool      // a flag or a variable says something about the system
	findsDev bool      // this command looks for a running dev
	yes      bool      // no confirmation is asked for
	dev      *devState // nil: there is no context of a dev of this machine
}

// chosen is the context that counts, the name "" for none.
type chosen struct {
	name, from string
	left       bool // the context of a dev that no longer runs was found, and does not count
	unnamed    bool // a dev runs, but does not count because no confirmation would name it
}

// choose takes the first of: the flag, the variable, the selected context, a running dev. The
// selected context does not count together with a settings file, because the file says everything.
// A dev counts only if nothing at all says which system is meant, so that a shell set up for
// another system never talks to it. It does not count with --yes, which skips the question that
// would name it: a job whose variables are missing must not succeed on a dev.
func choose(g given) chosen {
	switch {
	case g.named:
		return chosen{name: g.name, from: fromFlag}
	case g.variable != "":
		return chosen{name: g.variable, from: fromVariable}
	case g.file:
		return chosen{}
	case g.selected != "":
		return chosen{name: g.selected, from: fromSelected}
	case !g.findsDev || g.said || g.dev == nil:
		return chosen{}
	case !g.dev.running:
		return chosen{left: true}
	case g.yes:
		return chosen{unnamed: true}
	}
	return chosen{name: devContext, from: fromDev}
}

// given collects everything that choose decides by.
func (s *Set) given(flags *pflag.FlagSet, file string) (given, error) {
	g := given{variable: os.Getenv(fromVariable), file: file != "", findsDev: s.person != nil, said: s.said(flags)}
	if f := flags.Lookup("context"); f != nil && f.Changed {
		g.named, g.name = true, f.Value.String()
	}
	if f := flags.Lookup(cli.YesFlag); f != nil {
		g.yes = f.Value.String() == "true"
	}
	if g.named || g.variable != "" || g.file {
		return g, nil
	}
	var err error
	if g.selected, err = SelectedContext(); err != nil || g.selected != "" || !g.findsDev || g.said {
		return g, err
	}
	if g.dev, err = lookForDev(); g.dev != nil && !g.dev.here {
		g.dev = nil
	}
	return g, err
}

// aside are the settings that say nothing about which system is meant.
var aside = []string{"log-level", "log-format", "strict-files"}

// said reports whether a flag of this command, or a variable of any, says something about the
// system: a shell whose PROTOCOLQ_NATS is set means that system, even for a command that only reads
// the database.
func (s *Set) said(flags *pflag.FlagSet) bool {
	return slices.ContainsFunc(s.all, func(set setting) bool {
		if set.parse == nil || slices.Contains(aside, set.name) {
			return false
		}
		return os.Getenv(set.variable()) != "" || s.flags[set.name] != nil && flags.Changed(set.name)
	})
}
