// The settings file: YAML, read strictly, so that a mistyped key is reported with its line and not
// silently ignored.

package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/cli"
)

// maxConfigFile protects against a file that is not a settings file.
const maxConfigFile = 1 << 20

// configFile is a read file: its values by key, not parsed yet.
type configFile struct {
	path   string
	called string // "": by its path
	values map[string]*yaml.Node
}

// readConfigFile reads path, or nothing when path is empty. Every unknown or repeated key is a
// fault.
func readConfigFile(path string, known []setting) (*configFile, []error) {
	if path == "" {
		return nil, nil
	}
	data, err := cli.ReadBounded(path, maxConfigFile)
	if err != nil {
		return nil, []error{fmt.Errorf("config: %w", err)}
	}
	root, err := parseYAML(path, data)
	if err != nil || root == nil {
		return nil, onlyError(err)
	}
	keys := make([]string, 0, len(known))
	for _, s := range known {
		keys = append(keys, s.key())
	}
	file := &configFile{path: path}
	var faults []error
	file.values, faults = mapping(root, keys, file.line)
	return file, faults
}

// line names a line of the file.
func (f *configFile) line(n int) string { return fmt.Sprintf("%s:%d", cmp.Or(f.called, f.path), n) }

func onlyError(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// parseYAML gives the root of a file's one document, nil for an empty file.
func parseYAML(path string, data []byte) (*yaml.Node, error) {
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		where := path + ": "
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
			where = path + ":" + m[1] + ": "
		}
		return nil, errors.New(where + yamlLine.ReplaceAllString(err.Error(), ""))
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: must hold one document", path)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: must be a list of settings, key: value", path, root.Line)
	}
	return root, nil
}

// mapping gives the values of a mapping whose keys must be among known; where writes a line for
// faults.
func mapping(m *yaml.Node, known []string, where func(line int) string) (map[string]*yaml.Node, []error) {
	values := map[string]*yaml.Node{}
	var faults []error
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		at := where(key.Line) + ": "
		switch {
		case !slices.Contains(known, key.Value):
			faults = append(faults, fmt.Errorf("%sunknown key %q%s", at, key.Value, cli.DidYouMean(key.Value, known)))
		case values[key.Value] != nil:
			faults = append(faults,
				fmt.Errorf("%sthe key %q appears twice, first in line %d", at, key.Value, values[key.Value].Line))
		default:
			values[key.Value] = value
		}
	}
	return values, faults
}

// nodeText gives a value as the text a flag would have: a plain value, or a list joined by commas.
func nodeText(n *yaml.Node, isList bool) (string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", errors.New("has no value")
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode && isList:
		parts := make([]string, 0, len(n.Content))
		for _, item := range n.Content {
			part, err := nodeText(item, false)
			if err != nil {
				return "", err
			}
			if strings.Contains(part, ",") {
				return "", fmt.Errorf("%q: an item of a list cannot hold a comma", part)
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, ","), nil
	}
	return "", errors.New("must be one plain value")
}
