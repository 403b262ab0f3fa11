// Logs: text on a terminal, JSON lines otherwise, always on stderr. What strangers send cannot
// forge a line.

package cli

import (
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/lmittmann/tint"
	"golang.org/x/term"
)

// NewLogger builds the logger for w. format is auto, text or json: auto is text on a terminal.
// Colour needs a terminal and no NO_COLOR. A reader of w that stands still holds up nobody: of the
// lines that do not fit into 1 MiB until it goes on, their number is written.
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	handler := func(to io.Writer) slog.Handler {
		if format == "text" || format != "json" && IsTerminal(w) {
			return tint.NewTextHandler(to, &tint.Options{
				Level:       level,
				TimeFormat:  "15:04:05.000",
				NoColor:     !InColour(w),
				ReplaceAttr: safeText,
			})
		}
		return slog.NewJSONHandler(safeJSON{to}, &slog.HandlerOptions{Level: level})
	}
	direct := slog.New(handler(w))
	h := handler(&patient{to: w, leftOut: func(lines int) {
		direct.Warn("lines left out: nobody read the log", "left_out", lines)
	}})
	if level > slog.LevelDebug {
		h = newThrottled(h)
	}
	return slog.New(h)
}

// InColour says whether w is coloured: on a terminal, unless NO_COLOR is set to anything.
func InColour(w io.Writer) bool { return IsTerminal(w) && os.Getenv("NO_COLOR") == "" }

// IsTerminal reports whether a person may be looking at w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// safeText keeps escapes out of the coloured handler. That handler quotes a value and then turns
// each `\x1b` it sees back into a real escape, those of a stranger's text too; a byte slice
// takes its other path, which only quotes. The message is written unquoted, so it is escaped here.
func safeText(groups []string, a slog.Attr) slog.Attr {
	text, ok := textOf(a.Value)
	switch {
	case !ok:
		return a
	case len(groups) == 0 && a.Key == slog.MessageKey:
		a.Value = slog.StringValue(Printable(text))
	case !isPrintable(text) || strings.Contains(text, `\x1b`):
		a.Value = slog.AnyValue([]byte(text))
	case a.Value.Kind() == slog.KindAny:
		a.Value = slog.StringValue(text)
	}
	return a
}

// textOf gives the text a handler would print for v, when v is text of any kind.
func textOf(v slog.Value) (string, bool) {
	if v.Kind() == slog.KindString {
		return v.String(), true
	}
	if v.Kind() != slog.KindAny {
		return "", false
	}
	switch x := v.Any().(type) {
	case nil, slog.Level, *slog.Source:
		return "", false
	case error:
		return x.Error(), true
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		return string(text), err == nil
	default:
		return fmt.Sprintf("%+v", x), true
	}
}
