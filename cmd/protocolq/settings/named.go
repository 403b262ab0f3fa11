// Contexts of our own: settings under a name, one file each, for those who work with
// several systems.

package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/cli"
)

// maxContextName keeps a name short enough for a file name, and maxSelected protects against
// another kind of file.
const (
	maxContextName = 64
	maxSelected    = 1 << 10
)

var contextName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// CheckContextName says what is wrong with the name of a context.
func CheckContextName(name string) error {
	if len(name) > maxContextName || !contextName.MatchString(name) {
		return errors.New("must have letters, digits, _, - and ., not begin with - or ., and have at most 64")
	}
	return nil
}

// userConfig is the directory for the settings of this user's programs.
func userConfig() (string, error) {
	if dir := os.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the contexts: %w", err)
	}
	return filepath.Join(home, ".config"), nil
}

// ContextPath is the file of the context of that name.
func ContextPath(name string) (string, error) {
	dir, err := userConfig()
	return filepath.Join(dir, "protocolq", "context", name+".yaml"), err
}

// SelectedPath is the file that holds the name of the selected context.
func SelectedPath() (string, error) {
	dir, err := userConfig()
	return filepath.Join(dir, "protocolq", "context.txt"), err
}

// SelectedContext is the name of the selected context, "" if none is.
func SelectedContext() (string, error) {
	path, err := SelectedPath()
	if err != nil {
		return "", nil //nolint:nilerr // a user without a home has selected nothing
	}
	data, err := cli.ReadBounded(path, maxSelected)
	if homeless(err) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// homeless reports that a file does not exist, or that this user has no place for one: services
// often run as a user whose home is /dev/null or belongs to another.
func homeless(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR)
}

// ContextNames are the names of all contexts, sorted.
func ContextNames() ([]string, error) {
	path, err := ContextPath("any")
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if homeless(err) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok && CheckContextName(name) == nil {
			names = append(names, name)
		}
	}
	return names, err
}

// readChosen reads the context that counts for a command line, nil if none does.
func (s *Set) readChosen(flags *pflag.FlagSet, file string) (*configFile, []error) {
	g, err := s.given(flags, file)
	if err != nil {
		return nil, []error{err}
	}
	found := choose(g)
	s.sayDev(g, found)
	if found.name == "" {
		return nil, nil
	}
	read, faults := readNamed(found.name, s.all)
	for i, fault := range faults {
		faults[i] = fmt.Errorf("context %s (%s): %w", cli.Printable(found.name), found.from, fault)
	}
	return read, faults
}

// readNamed reads the context of that name.
func readNamed(name string, known []setting) (*configFile, []error) {
	if err := CheckContextName(name); err != nil {
		return nil, []error{fmt.Errorf("the name %w", err)}
	}
	path, err := ContextPath(name)
	if err != nil {
		return nil, []error{err}
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, []error{errors.New("there is no context of this name: 'protocolq context list' shows " +
			"all contexts")}
	}
	if err := checkDevRuns(name); err != nil {
		return nil, []error{err}
	}
	read, faults := readConfigFile(path, known)
	if read != nil {
		read.called = "context " + name
	}
	return read, faults
}

// ContextValues are what a context says, without the password of a URL.
func ContextValues(name string) ([]Value, error) {
	table := (&Config{}).table()
	file, faults := readNamed(name, table)
	if err := errors.Join(faults...); err != nil || file == nil {
		return nil, err
	}
	var list []Value
	for _, set := range table {
		node := file.values[set.key()]
		if node == nil {
			continue
		}
		v := Value{Setting: set.name, Key: set.key(), From: file.line(node.Line)}
		if set.node != nil {
			list = append(list, v.with("…"))
		} else if text, err := nodeText(node, set.kind == kindList); err == nil {
			list = append(list, v.with(redacted(text)))
		}
	}
	return list, nil
}

func (v Value) with(text string) Value { v.Value = text; return v }

// Said is a settings file with the values of the flags of AddValues, each checked alone. Paths of
// files are made absolute, because a context is used from any directory.
func (s *Set) Said(flags *pflag.FlagSet) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	var faults []error
	for _, set := range s.list {
		if set.parse == nil || !flags.Changed(set.name) {
			continue
		}
		text := s.flags[set.name].text
		if set.kind == kindFile || set.kind == "PEM" {
			absolute, err := filepath.Abs(text)
			faults, text = append(faults, err), absolute
		}
		err := set.parse(text)
		if err == nil && set.check != nil {
			err = set.check()
		}
		if err != nil {
			faults = append(faults, &Fault{Setting: set.name, From: "--" + set.name, Err: err})
		}
		root.Content = append(root.Content, plain(set.key()), plain(text))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, &cli.Error{Code: cli.ExitUsage, Err: err}
	}
	if len(root.Content) == 0 {
		return nil, cli.Usage("no setting is given: a context says at least one, such as --nats")
	}
	return yaml.Marshal(root)
}

func plain(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}
