// The demo's file of queries: one JSON object on each line.

package demo

import (
	"bytes"
	_ "embed" // the built-in queries
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

//go:embed queries.jsonl
var builtInDemo []byte

// Bounds of a file of queries.
const (
	maxDemoFile  = 4 << 20
	maxDemoLines = 10_000
	maxAskers    = 64
)

// demoLine is one line, ready to be sent.
type demoLine struct {
	from    string
	query   messages.Query // zero for a raw line
	message *nats.Msg
}

// readDemo reads the lines. Every line that cannot be read is reported, by its number.
func readDemo(args []string) ([]demoLine, error) {
	data, name, err := openDemo(args)
	if err != nil {
		return nil, err
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	cli.Must(err)
	var lines []demoLine
	var faults []error
	askers := map[string]bool{}
	for i, text := range bytes.Split(data, []byte("\n")) {
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		l, err := parseDemoLine(text, names)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d: %w", name, i+1, err))
			continue
		}
		askers[l.from] = true
		lines = append(lines, l)
	}
	switch {
	case len(faults) > 0:
		return nil, errors.Join(faults[:min(len(faults), 20)]...)
	case len(lines) == 0:
		return nil, fmt.Errorf("%s: holds no query", name)
	case len(lines) > maxDemoLines:
		return nil, fmt.Errorf("%s: holds %d queries, at most %d are asked", name, len(lines), maxDemoLines)
	case len(askers) > maxAskers:
		return nil, fmt.Errorf("%s: names %d askers, at most %d are", name, len(askers), maxAskers)
	}
	return lines, nil
}

func parseDemoLine(text []byte, names messages.Names) (demoLine, error) {
	var line struct {
		From     string          `json:"from"`
		Encoding string          `json:"encoding"`
		Query    json.RawMessage `json:"query"`
		Raw      string          `json:"raw"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&line); err != nil {
		return demoLine{}, err
	}
	l := demoLine{from: line.From, message: nats.NewMsg(names.Query())}
	if l.from == "" {
		l.from = "asker"
	}
	if line.Query == nil {
		l.message.Data = []byte(line.Raw)
		return l, nil
	}
	var err error
	if l.query, _, err = messages.DecodeQuery(line.Query, string(messages.JSON)); err != nil {
		return l, err
	}
	encoding := messages.MsgPack
	if line.Encoding != "" {
		var ok bool
		if encoding, ok = messages.ParseEncoding("application/" + line.Encoding); !ok {
			return l, fmt.Errorf("encoding %q: must be json or msgpack", line.Encoding)
		}
	}
	l.message.Header.Set(messages.HeaderContentType, string(encoding))
	l.message.Data, err = l.query.Encode(encoding)
	return l, err
}
