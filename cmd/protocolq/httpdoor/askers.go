// The askers' file: who may ask over HTTP, for whom and how much.

package httpdoor

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// Asker is one program, or one team, that asks over HTTP.
type Asker struct {
	// Name is unique among all askers of the fleet: it is in subjects and in the query log.
	Name string `yaml:"name"`
	// Partners are those it may ask for; the first is the default of a query that names none.
	Partners []string `yaml:"partners"`
	// Tokens are hashes of its tokens; two while one replaces the other.
	Tokens []string `yaml:"tokens"`
	// Rate is how many queries a second it may ask, Burst how many at once after a rest.
	Rate  int `yaml:"rate"`
	Burst int `yaml:"burst"`
	// Waiting is how many of its requests may wait for their answers at a time.
	Waiting int `yaml:"waiting"`
	// Webhook is where the answers to its stored queries are sent; nil: nowhere.
	Webhook *Webhook `yaml:"webhook"`

	hashes []tokenHash
}

// Bounds of the file, and its defaults.
const (
	maxAskersFile  = 1 << 20
	mostAskers     = 1000
	mostTokens     = 10
	mostName       = 64
	mostRate       = 100_000
	mostWaiting    = 10_000
	defaultRate    = 100
	defaultWaiting = 256
)

// ReadAskers reads the file.
func ReadAskers(path string) ([]Asker, error) {
	data, err := cli.ReadBounded(path, maxAskersFile)
	if err != nil {
		return nil, fmt.Errorf("askers: %w", err)
	}
	askers, err := parseAskers(data)
	if err != nil {
		return nil, fmt.Errorf("askers %s: %w", path, err)
	}
	return askers, nil
}

// parseAskers reports all faults at once. An unknown field is a fault, because a misspelled limit
// would be no limit.
func parseAskers(data []byte) ([]Asker, error) {
	var file struct {
		Askers []Asker `yaml:"askers"`
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) { // its askers would not be seen
		return nil, errors.New("must hold one document")
	}
	if n := len(file.Askers); n == 0 || n > mostAskers {
		return nil, fmt.Errorf("has %d askers; give 1 to %d", n, mostAskers)
	}
	var faults []error
	names, tokens := map[string]bool{}, map[tokenHash]bool{}
	for i := range file.Askers {
		a := &file.Askers[i]
		for _, err := range a.complete() {
			faults = append(faults, fmt.Errorf("asker %d (%.64q): %w", i+1, a.Name, err))
		}
		if names[a.Name] {
			faults = append(faults, fmt.Errorf("asker %q appears twice", a.Name))
		}
		names[a.Name] = true
		for _, h := range a.hashes {
			if tokens[h] {
				faults = append(faults, fmt.Errorf("asker %q has a token that appears twice", a.Name))
			}
			tokens[h] = true
		}
	}
	return file.Askers, errors.Join(faults...)
}

// complete fills in defaults, and says what is wrong.
func (a *Asker) complete() (faults []error) {
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(!messages.IsToken(a.Name) ||
		len(a.Name) > mostName, "name must be 1 to %d letters, digits, - and _", mostName)
	fault(messages.IsFleets(a.Name), "name is the fleet's own; give the asker another")
	fault(len(a.Partners) == 0, "partners is needed: the one, or each, that it may ask for")
	for _, p := range a.Partners {
		fault(!messages.IsPartner(p), "partner %.20q must be 16 digits that begin with 2088, in quotes", p)
	}
	fault(len(a.Tokens) > mostTokens, "has %d tokens; at most %d", len(a.Tokens), mostTokens)
	fault(len(a.Tokens) == 0, "tokens is needed: 'protocolq http token' makes one")
	for _, text := range a.Tokens {
		h, err := parseHash(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("token %w", err))
			continue
		}
		a.hashes = append(a.hashes, h)
	}
	a.Rate = cmp.Or(a.Rate, defaultRate)
	a.Burst = cmp.Or(a.Burst, a.Rate)
	a.Waiting = cmp.Or(a.Waiting, defaultWaiting)
	fault(a.Rate < 1 || a.Rate > mostRate, "rate must be 1 to %d queries a second", mostRate)
	fault(a.Burst < 1 || a.Burst > mostRate, "burst must be 1 to %d queries", mostRate)
	fault(a.Waiting < 1 || a.Waiting > mostWaiting, "waiting must be 1 to %d requests", mostWaiting)
	if a.Webhook != nil {
		if err := a.Webhook.check(); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// may reports whether it may ask for a partner.
func (a *Asker) may(partner string) bool { return slices.Contains(a.Partners, partner) }
