// Keeps keys out of logs, errors and JSON.

package mapi

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// String returns "[redacted]".
func (Key) String() string { return redacted }

// GoString returns "[redacted]".
func (Key) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (Key) Format(f fmt.State, _ rune) { writeRedacted(f) }

// LogValue returns "[redacted]".
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]".
func (Key) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]".
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// String returns "[redacted]".
func (Verifier) String() string { return redacted }

// GoString returns "[redacted]".
func (Verifier) GoString() string { return redacted }

// Format writes "[redacted]" for every verb and flag.
func (Verifier) Format(f fmt.State, _ rune) { writeRedacted(f) }

// LogValue returns "[redacted]".
func (Verifier) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]".
func (Verifier) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]".
func (Verifier) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func writeRedacted(w io.Writer) {
	_, _ = io.WriteString(w, redacted) // a fmt.State cannot fail
}
