// One setting: one field, one flag, one PROTOCOLQ_… variable and one key in the file, all from one
// line of a table.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// setting is one line of the table in config.go. Its text is parsed into the Config's field;
// whether the value can be used is asked afterwards, so that all faults are told at once.
type setting struct {
	name     string                  // the flag; the variable and the file key follow from it
	kind     string                  // what stands for the value in the help
	fallback string                  // the default, as a user would write it
	usage    string                  // one line, no full stop
	parse    func(text string) error // text into the field; nil: only the file can say it
	check    func() error            // whether the field can be used; nil: always
	node     func(*yaml.Node) error  // a file value that is not plain text
	on       func() bool             // of a switch: its value
	exposed  func() []string         // what was found about key files that are open to others
}

func (s setting) variable() string {
	return "PROTOCOLQ_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}
func (s setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// settingError is a fault of one setting, told by its name and where its value came from.
type settingError struct {
	Setting string
	From    string // flag, variable, file:line, or "" for the default
	Err     error
}

func (e *settingError) Error() string {
	if e.From == "" {
		return e.Setting + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s: %v (from %s)", e.Setting, e.Err, e.From)
}

func (e *settingError) Unwrap() error { return e.Err }

// settings is a table with what has been learned about it from one command line.
type settings struct {
	list  []setting
	flags map[string]*rawFlag
	from  map[string]string // setting name to where its value came from
	all   []setting         // every setting there is: a file may hold more than this command wants

	warnings []string // of load, about key files, for the log
}

// newSettings takes the lines called names from all, or all of them when names is empty. Where one
// of them names a key's file, strict-files comes with it.
func newSettings(all []setting, names ...string) *settings {
	s := &settings{all: all, list: all, flags: map[string]*rawFlag{}, from: map[string]string{}}
	if len(names) == 0 {
		return s
	}
	s.list = nil
	for _, name := range names {
		i := indexSetting(all, name)
		if i < 0 {
			panic("no setting is called " + name)
		}
		s.list = append(s.list, all[i])
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

// addFlags makes the flags, and --config for the file.
func (s *settings) addFlags(fs *pflag.FlagSet) {
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
	fs.String("config", "", "settings file, YAML")
}

// load fills the fields: flag over variable over file over default. It then runs more, which
// asks what a single setting cannot tell. The error joins every fault there is and exits 2.
func (s *settings) load(fs *pflag.FlagSet, more ...func() error) error {
	path, err := fs.GetString("config")
	must(err)
	if path == "" {
		path = os.Getenv("PROTOCOLQ_CONFIG")
	}
	file, faults := readConfigFile(path, s.known())
	for _, set := range s.list {
		faults = append(faults, s.take(set, fs, file))
	}
	for _, ask := range more {
		faults = append(faults, ask())
	}
	faults = append(faults, s.checkExposed())
	if err := errors.Join(faults...); err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	return nil
}

// known are all settings that a file may hold: one file serves every command.
func (s *settings) known() []setting {
	if indexSetting(s.all, "database") >= 0 {
		return s.all
	}
	return append(slices.Clip(s.all), (&recordConfig{}).settings()...)
}

// take finds the value of one setting, parses and checks it.
func (s *settings) take(set setting, fs *pflag.FlagSet, file *configFile) error {
	if set.parse != nil {
		must(set.parse(set.fallback))
	}
	from, err := s.apply(set, fs, file)
	s.from[set.name] = from
	if err == nil && set.check != nil {
		err = set.check()
	}
	if err != nil {
		return &settingError{Setting: set.name, From: from, Err: err}
	}
	return nil
}

func (s *settings) apply(set setting, fs *pflag.FlagSet, file *configFile) (string, error) {
	if set.parse != nil {
		if fs.Changed(set.name) {
			return "--" + set.name, set.parse(s.flags[set.name].text)
		}
		if text := os.Getenv(set.variable()); text != "" {
			return set.variable(), set.parse(text)
		}
	}
	if file == nil || file.values[set.key()] == nil {
		return "", nil
	}
	node := file.values[set.key()]
	from := fmt.Sprintf("%s:%d", file.path, node.Line)
	if set.node != nil {
		return from, set.node(node)
	}
	text, err := nodeText(node, set.kind == kindList)
	if err != nil {
		return from, err
	}
	return from, set.parse(text)
}

// rawFlag keeps what the command line said until resolve parses it, because the flag library stops
// at the first value it does not like and we tell all of them.
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
