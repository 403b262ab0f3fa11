// Logs and terminals: control characters in text from outside have no effect on either.

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/lmittmann/tint"
)

// hostile holds what a stranger may put into an e-mail or a header: an escape sequence, a
// forged line, a line separator, a mark that turns the reading direction, a broken byte, and
// the escape spelled out.
var hostile = []string{"a\x1b[31mred b", "a\r\nERR forged", "a\u2028b", "a\u202egpj.exe b", "a\xffb", `a \x1b[31m b`, "a\u009b31mb"}

func TestLogsAreInert(t *testing.T) {
	handlers := map[string]func(*bytes.Buffer) slog.Handler{
		"json": func(b *bytes.Buffer) slog.Handler { return NewLogger(b, slog.LevelInfo, "json").Handler() },
		"auto": func(b *bytes.Buffer) slog.Handler { return NewLogger(b, slog.LevelInfo, "auto").Handler() },
		"text": func(b *bytes.Buffer) slog.Handler { return NewLogger(b, slog.LevelInfo, "text").Handler() },
		"colour": func(b *bytes.Buffer) slog.Handler {
			return tint.NewTextHandler(b, &tint.Options{ReplaceAttr: safeText})
		},
	}
	for name, handler := range handlers {
		written := func(text string) string {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("m", "value", text, "error", errors.New(text), "any", struct{ A string }{text})
			slog.New(handler(&b)).With("value", text).WithGroup("g").Info(text)
			return b.String()
		}
		ours := strings.Count(written("harmless"), "\x1b")
		if (ours > 0) != (name == "colour") {
			t.Errorf("%s: %d escapes of its own", name, ours)
		}
		for _, text := range hostile {
			got := written(text)
			if strings.ContainsAny(got, "\r\u2028\u202e\u009b") || strings.Contains(got, "\xff") || strings.Count(got, "\n") != 2 {
				t.Errorf("%s: %q is written as %q", name, text, got)
			}
			if strings.Count(got, "\x1b") != ours {
				t.Errorf("%s: %q brings an escape: %q", name, text, got)
			}
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"張三@example.com a　b": "張三@example.com a　b",
		"":                   "",
		"a\x1b[0m":           `a\x1b[0m`,
		"a\nb\rc\td":         `a\nb\rc\td`,
		"a\u2028\u202eb":     `a\u2028\u202eb`,
		"\xff\x80a":          `\xff\x80a`,
		"\U000e0001":         `\U000e0001`,
		"\ufffd'\"\\":        "\ufffd'\"\\",
	} {
		if got := Printable(in); got != want {
			t.Errorf("printable(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestJSONKeepsValues(t *testing.T) {
	for _, text := range append(hostile, "張三", "\U000e0001\U0001f600") {
		var b bytes.Buffer
		if err := PrintJSON(&b, text); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(b.String(), "\n"); !isPrintable(got) {
			t.Errorf("%q is written as %q", text, got)
		}
		var back string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || back != strings.ToValidUTF8(text, "\ufffd") {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}

func TestLogFormat(t *testing.T) {
	var b bytes.Buffer
	NewLogger(&b, slog.LevelWarn, "auto").Info("below the level")
	if b.Len() > 0 {
		t.Errorf("written below the level: %s", &b)
	}
	NewLogger(&b, slog.LevelInfo, "auto").Info("m", "account", "张三")
	if got := b.String(); !strings.HasPrefix(got, `{"time":`) || !strings.Contains(got, `"account":"张三"`) {
		t.Errorf("auto away from a terminal is %s, want JSON", got)
	}
	b.Reset()
	NewLogger(&b, slog.LevelInfo, "text").Info("m", "key", "v")
	if got := b.String(); !strings.HasSuffix(got, "INF m key=v\n") {
		t.Errorf("text away from a terminal is %q, want it without colour", got)
	}
}

func TestColourOnlyOnATerminal(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminal here")
	}
	defer terminal.Close()
	t.Setenv("NO_COLOR", "")
	if !InColour(terminal) || InColour(&bytes.Buffer{}) {
		t.Error("want colour on a terminal and nowhere else")
	}
	t.Setenv("NO_COLOR", "1")
	if InColour(terminal) {
		t.Error("NO_COLOR is not respected")
	}
}
