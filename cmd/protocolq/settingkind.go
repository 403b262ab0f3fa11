// The kinds of settings: how each is written, parsed and bounded.
package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The kinds a reader of the help needs to tell apart.
const (
	kindSwitch = "true|false"
	kindList   = "list"
	kindFile   = "file" // of a key
)

// text is a setting whose field is the text itself.
func text(field *string, s setting) setting {
	s.parse = func(text string) error { *field = text; return nil }
	return s
}

// list is a setting of several texts, with commas between them.
func list(field *[]string, s setting) setting {
	s.kind = kindList
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
			return fmt.Errorf("must be from %s to %s, not %s", short(low), short(high), short(*field))
		}
		return nil
	}
	return s
}

// choice is one word of a few.
func choice(field *string, words []string, s setting) setting {
	s.kind = strings.Join(words, "|")
	s = text(field, s)
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

// short writes a duration without its zero parts: 24h, not 24h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
