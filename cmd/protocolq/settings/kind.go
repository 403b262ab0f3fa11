// The kinds of settings: how each is written, parsed and bounded.

package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"protocolq/cmd/protocolq/cli"
)

// The kinds of values that the help names.
const (
	kindSwitch = "true|false"
	kindList   = "list"
	kindFile   = "file" // of a key
)

// text is a setting whose field is the text itself.
func text(field *string, s setting) setting {
	s.parse = func(text string) error { *field = text; return nil }
	s.schema = map[string]any{"type": []string{"string", "integer"}}
	return s
}

// list is a setting of several texts, separated by commas.
func list(field *[]string, s setting) setting {
	s.kind = kindList
	s.schema = map[string]any{"anyOf": []any{map[string]any{"type": "string"},
		map[string]any{"type": "array", "items": map[string]any{"type": "string", "pattern": "^[^,]*$"}}}}
	s.parse = func(text string) error {
		*field = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*field = append(*field, part)
			}
		}
		return nil
	}
	return s
}

// toggle is a setting that is on or off.
func toggle(field *bool, s setting) setting {
	s.kind, s.fallback = kindSwitch, "false"
	s.schema = map[string]any{"type": "boolean"}
	s.on = func() bool { return *field }
	s.parse = func(text string) error {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("must be true or false, not %q", text)
		}
		*field = on
		return nil
	}
	return s
}

// count is a whole number between low and high.
func count(field *int, low, high int, s setting) setting {
	s.kind = "count"
	s.schema = map[string]any{"type": "integer", "minimum": low, "maximum": high}
	s.parse = func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("must be a whole number, not %q", text)
		}
		*field = n
		return nil
	}
	s.check = func() error {
		if *field < low || *field > high {
			return fmt.Errorf("must be from %d to %d, not %d", low, high, *field)
		}
		return nil
	}
	return s
}

// span is a length of time between low and high.
func span(field *time.Duration, low, high time.Duration, s setting) setting {
	s.kind = "duration"
	s.schema = map[string]any{"type": "string", "pattern": `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`,
		"$comment": "from " + cli.Short(low) + " to " + cli.Short(high)}
	s.parse = func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("must be a duration such as 8s or 1h30m, not %q", text)
		}
		*field = d
		return nil
	}
	s.check = func() error {
		if *field < low || *field > high {
			return fmt.Errorf("must be from %s to %s, not %s", cli.Short(low), cli.Short(high), cli.Short(*field))
		}
		return nil
	}
	return s
}

// choice is one word of a few.
func choice(field *string, words []string, s setting) setting {
	s.kind = strings.Join(words, "|")
	s = text(field, s)
	s.schema = map[string]any{"enum": words}
	s.check = func() error {
		for _, w := range words {
			if *field == w {
				return nil
			}
		}
		return fmt.Errorf("must be one of %s, not %q", strings.Join(words, ", "), *field)
	}
	return s
}
