// A line that repeats without end is written twenty times, then every 30 s. Nothing else is
// held back.

package cli_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/cmd/protocolq/cli"
)

func TestRepeatedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := cli.NewLogger(&out, slog.LevelInfo, "json")
		written := func(what string) (n int) { return strings.Count(out.String(), `"msg":"`+what+`"`) }
		for range 1000 { // two a second, each by its own logger
			log.With("connection", "replies").Warn("not there", "err", "away")
			log.Info("query answered")
			time.Sleep(500 * time.Millisecond)
		}
		// 20 at once, and one for each 30 s of 500 s.
		if n := written("not there"); n != 20+16 {
			t.Errorf("%d lines of 1000 are written, want 36", n)
		}
		if n := written("query answered"); n != 1000 {
			t.Errorf("%d of 1000 lines below a warning are written", n)
		}
		if !strings.Contains(out.String(), `"connection":"replies","err":"away","left_out":59}`) {
			t.Errorf("it is not said how many lines were left out:\n%s", out.String()[max(0, out.Len()-300):])
		}
		log.Error("other")
		if written("other") != 1 {
			t.Error("another line was held back")
		}
		out.Reset()
		time.Sleep(20 * 30 * time.Second)
		for range 100 {
			log.Warn("not there")
		}
		if n := written("not there"); n != 20 {
			t.Errorf("%d lines after a rest, want 20", n)
		}
	})
}

// A burst names each partner, however many there are, and no repetition of one hides another.
func TestLinesAboutDifferentThings(t *testing.T) {
	var out bytes.Buffer
	log := cli.NewLogger(&out, slog.LevelInfo, "json")
	for i := range 50 {
		log.Error("partner halted", "partner", fmt.Sprintf("20880000000%05d", i), "code", "ILLEGAL_SIGN")
		log.With("subject", fmt.Sprintf("a.%d", i)).WithGroup("g").Error("refused")
		log.Error("partner halted", "partner", "2088000000000000", "code", "ILLEGAL_SIGN")
	}
	for what, want := range map[string]int{"20880000000": 50 + 19, `2088000000000000"`: 20, `2088000000000049"`: 1, `"subject":"a.49"`: 1} {
		if n := strings.Count(out.String(), what); n != want {
			t.Errorf("%d lines of %s, want %d", n, what, want)
		}
	}
}

// What lines are about may vary without end: memory is bounded to a thousand of them.
func TestLinesAboutTooMuch(t *testing.T) {
	var out bytes.Buffer
	log := cli.NewLogger(&out, slog.LevelInfo, "json")
	for i := range 3000 {
		log.Error("refused", "subject", fmt.Sprintf("a.%d", i))
	}
	log.Error("other", "subject", "b")
	if n := strings.Count(out.String(), `"refused"`); n != 1000+20 || !strings.Contains(out.String(), "other") {
		t.Errorf("%d lines about 3000 things are written, want 1020, and other", n)
	}
}

// A message that exists only in the log is never held back here; only its writer may do so.
func TestLostAreWritten(t *testing.T) {
	var out bytes.Buffer
	log := cli.NewLogger(&out, slog.LevelInfo, "json")
	for range 100 {
		log.Error("lost", "what", "dead letter")
	}
	if n := strings.Count(out.String(), `"lost"`); n != 100 {
		t.Errorf("%d of 100 lines are written", n)
	}
}

// At level debug, every line is written.
func TestRepeatedLinesAtDebug(t *testing.T) {
	var out bytes.Buffer
	log := cli.NewLogger(&out, slog.LevelDebug, "text")
	for range 100 {
		log.Warn("not there")
	}
	if n := strings.Count(out.String(), "not there"); n != 100 {
		t.Errorf("%d of 100 lines are written", n)
	}
}

// Messages that by mistake are not constants take no more room than a thousand that are.
func TestRepeatedLinesOfManyKinds(t *testing.T) {
	var out bytes.Buffer
	log := cli.NewLogger(&out, slog.LevelInfo, "json")
	for i := range 3000 {
		log.Warn(fmt.Sprintf("kind %d", i))
	}
	if n := strings.Count(out.String(), "\n"); n != 1000+20 {
		t.Errorf("%d lines of 3000 kinds are written, want 1020", n)
	}
}
