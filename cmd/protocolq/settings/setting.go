// One setting: one field, one flag, one PROTOCOLQ_… variable and one key in the file, all from one
// line of a table.

package settings

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/cli"
)

// setting is one line of the table. Its text is parsed into the Config's field; whether the value
// is valid is checked afterwards, so that all faults are reported at once.
type setting struct {
	name     string                                        // the flag; the variable and the file key follow from it
	kind     string                                        // the value's name in the help
	fallback string                                        // the default, as a user would write it
	usage    string                                        // one line, no full stop
	parse    func(text string) error                       // text into the field; nil: only the file can say it
	check    func() error                                  // whether the field can be used; nil: always
	node     func(*yaml.Node, func(line int) string) error // a file value that is not plain text; the func names a line
	on       func() bool                                   // of a switch: its value
	exposed  func() []string                               // what was found about key files that are open to others
	context  func() string                                 // what the NATS context says; nil: it never does
	shown    func() string                                 // of a setting that is no plain text: what it holds
	schema   map[string]any                                // its JSON Schema, except what all have
}

func (s setting) variable() string {
	return "PROTOCOLQ_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}
func (s setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// Fault is a fault of one setting, with its name and where its value came from.
type Fault struct {
	Setting string
	From    string // flag, variable, file:line, or "" for the default
	Err     error
}

func (e *Fault) Error() string {
	if e.From == "" {
		return e.Setting + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s: %v (from %s)", e.Setting, e.Err, e.From)
}

func (e *Fault) Unwrap() error { return e.Err }

// Set is a table with the values from one command line.
type Set struct {
	list  []setting
	flags map[string]*rawFlag
	from  map[string]string // setting name to where its value came from
	value map[string]string // setting name to its text
	all   []setting         // every setting there is: a file may hold more than this command wants

	warnings []string // of load, about key files, for the log

	person  *cobra.Command // a command that finds a running dev; nil: it does not
	saidDev bool           // it has been said
}

// New takes the settings of c called names, or all of them if names is empty. "nats" brings all
// settings that say how it is reached; a setting that names a key's file brings strict-files.
func New(c *Config, names ...string) *Set {
	all := c.table()
	s := &Set{all: all, list: all, flags: map[string]*rawFlag{}, from: map[string]string{}, value: map[string]string{}}
	if len(names) == 0 {
		return s
	}
	s.list = nil
	if slices.Contains(names, "nats") {
		names = slices.Concat(reachNames[:1], names, reachNames[1:]) // the context is read first
	}
	for _, name := range names {
		i := indexSetting(all, name)
		if i < 0 {
			panic("no setting is called " + name)
		}
		if indexSetting(s.list, name) < 0 {
			s.list = append(s.list, all[i])
		}
	}
	namesFile := slices.ContainsFunc(s.list, func(set setting) bool { return set.kind == kindFile })
	if i := indexSetting(all, "strict-files"); namesFile && i >= 0 && indexSetting(s.list, "strict-files") < 0 {
		s.list = append(s.list, all[i])
	}
	return s
}

func indexSetting(list []setting, name string) int {
	for i, s := range list {
		if s.name == name {
			return i
		}
	}
	return -1
}

// AddFlags makes the flags, --config for the file, and --context for a context.
func (s *Set) AddFlags(fs *pflag.FlagSet) {
	s.AddValues(fs)
	fs.String("config", "", "settings file, YAML")
	fs.String("context", "",
		"name of a context with settings, see 'protocolq context'; '' for none (default: the selected ones)")
}

// AddValues makes only the flags of the settings.
func (s *Set) AddValues(fs *pflag.FlagSet) {
	for _, set := range s.list {
		if set.parse == nil {
			continue
		}
		raw := &rawFlag{text: set.fallback, kind: set.kind}
		s.flags[set.name] = raw
		f := fs.VarPF(raw, set.name, "", set.usage)
		if set.kind == kindSwitch {
			f.NoOptDefVal = "true"
		}
	}
}

// Load fills the fields: flag over variable over file over context over NATS context over default.
// It then runs more, which checks what a single setting cannot show. The error joins all faults and
// exits 2.
func (s *Set) Load(fs *pflag.FlagSet, more ...func() error) error {
	path, err := fs.GetString("config")
	cli.Must(err)
	if path == "" {
		path = os.Getenv("PROTOCOLQ_CONFIG")
	}
	file, faults := readConfigFile(path, s.all)
	named, wrong := s.readChosen(fs, path)
	faults = append(faults, wrong...)
	for _, set := range s.list {
		faults = append(faults, s.take(set, fs, file, named))
	}
	for _, ask := range more {
		faults = append(faults, ask())
	}
	faults = append(faults, s.checkExposed())
	if err := errors.Join(faults...); err != nil {
		s.locate(err)
		return &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	return nil
}

// locate adds to the faults in err where their settings came from, if they do not say so yet.
func (s *Set) locate(err error) {
	if fault, ok := err.(*Fault); ok && fault.From == "" { //nolint:errorlint // each error of a joined one is looked at
		fault.From = s.from[fault.Setting]
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			s.locate(err)
		}
	}
}

// take finds the value of one setting, parses and checks it.
func (s *Set) take(set setting, fs *pflag.FlagSet, files ...*configFile) error {
	if set.parse != nil {
		cli.Must(set.parse(set.fallback))
	}
	from, err := s.apply(set, fs, files)
	s.from[set.name] = from
	if err == nil && set.check != nil {
		err = set.check()
	}
	if err != nil {
		return &Fault{Setting: set.name, From: from, Err: err}
	}
	return nil
}

func (s *Set) apply(set setting, fs *pflag.FlagSet, files []*configFile) (string, error) {
	if set.parse != nil {
		s.value[set.name] = set.fallback
		if fs.Changed(set.name) {
			return "--" + set.name, s.parse(set, s.flags[set.name].text)
		}
		if text := os.Getenv(set.variable()); text != "" {
			return set.variable(), s.parse(set, text)
		}
	}
	i := slices.IndexFunc(files, func(f *configFile) bool { return f != nil && f.values[set.key()] != nil })
	if i < 0 {
		if set.context == nil || set.context() == "" {
			return "", nil
		}
		return "the NATS context", s.parse(set, set.context())
	}
	file := files[i]
	node := file.values[set.key()]
	from := file.line(node.Line)
	if set.node != nil {
		return from, set.node(node, file.line)
	}
	text, err := nodeText(node, set.kind == kindList)
	if err != nil {
		return from, err
	}
	return from, s.parse(set, text)
}

func (s *Set) parse(set setting, text string) error {
	s.value[set.name] = text
	return set.parse(text)
}

// rawFlag keeps a flag's text until resolve parses it, because the flag library stops at the first
// invalid value and we report all of them.
type rawFlag struct {
	text, kind string
	said       bool
}

// Set keeps the text; a list flag may be given again to add to it.
func (r *rawFlag) Set(text string) error {
	if r.kind == kindList && r.said {
		text = r.text + "," + text
	}
	r.text, r.said = text, true
	return nil
}
func (r *rawFlag) String() string { return r.text }

// Type names the value in the help.
func (r *rawFlag) Type() string {
	if r.kind == kindSwitch {
		return "bool"
	}
	return r.kind
}

// Names are those of all settings, in the order of the documentation.
func Names() []string {
	var names []string
	for _, s := range (&Config{}).table() {
		names = append(names, s.name)
	}
	return names
}

// Given reports whether a setting was given; otherwise its default is used.
func (s *Set) Given(name string) bool { return s.from[name] != "" }
