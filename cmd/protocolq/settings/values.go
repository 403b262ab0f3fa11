// The settings in effect: each value, where it came from, and the faults with their lines.

package settings

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"protocolq/cmd/protocolq/cli"
)

// Value is one setting in effect.
type Value struct {
	Setting string `json:"setting"`
	Key     string `json:"key"` // in the file
	Value   string `json:"value"`
	From    string `json:"from"` // flag, variable, file:line, or "default"
}

// Values are all settings as Load found them, in the order of the documentation. They show no
// secret: keys are files, shown by their path, and a URL's password is left out.
func (s *Set) Values() []Value {
	list := make([]Value, 0, len(s.list))
	for _, set := range s.list {
		v := Value{Setting: set.name, Key: set.key(), Value: redacted(s.value[set.name]),
			From: cmp.Or(s.from[set.name], "default")}
		if set.parse == nil {
			v.Value = set.shown()
		}
		list = append(list, v)
	}
	return list
}

// redacted is a value without the password of a URL in it.
func redacted(value string) string {
	parts := strings.Split(value, ",")
	for i, part := range parts {
		if !strings.Contains(part, "@") || !strings.Contains(part, "://") {
			continue
		}
		u, err := url.Parse(part)
		if err != nil {
			parts[i] = "[redacted]"
			continue
		}
		parts[i] = u.Redacted()
	}
	return strings.Join(parts, ",")
}

// shownPartners are the partners of the file in one line.
func (c *Config) shownPartners() string {
	list := make([]string, 0, len(c.Partners))
	for _, p := range c.Partners {
		list = append(list, fmt.Sprintf("%s (%s, %s, %s)", p.ID, p.SignType, p.Charset, p.KeyFile))
	}
	return strings.Join(list, ", ")
}

// FaultsIn lists the faults that an error of Load joins, one text each.
func FaultsIn(err error) (list []string) {
	switch e := err.(type) { //nolint:errorlint // each error of a joined one is looked at
	case nil:
		return nil
	case *cli.Error:
		return FaultsIn(e.Err)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			list = append(list, FaultsIn(err)...)
		}
		return list
	}
	return []string{strings.ReplaceAll(err.Error(), "\n", "; ")}
}
