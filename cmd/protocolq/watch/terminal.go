// Terminal: the view on its own screen, refreshed until q. A few sequences that every terminal
// knows are enough for it; bubbletea would make the program 1.6 MB larger.

package watch

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"protocolq/cmd/protocolq/cli"
)

// Sequences of terminals (ECMA-48, and xterm's other screen).
const (
	enter = "\x1b[?1049h\x1b[?25l" // another screen, no cursor
	leave = "\x1b[?25h\x1b[?1049l"
	home  = "\x1b[H"
	clear = "\x1b[K" // to the end of the line
	below = "\x1b[J" // to the end of the screen
)

func onTerminal(w io.Writer) bool { return cli.IsTerminal(w) && term.IsTerminal(int(os.Stdin.Fd())) }

// live shows the view until q, ^C or the end of ctx, and leaves the terminal as it was.
func (w *watch) live(ctx context.Context, in, out *os.File) error {
	was, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("top: %w", err)
	}
	defer func() { _ = term.Restore(int(in.Fd()), was) }()
	if _, err := io.WriteString(out, enter); err != nil {
		return err
	}
	defer func() { _, _ = io.WriteString(out, leave) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go untilQuit(in, stop) // it reads until the process ends
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	resized := time.NewTicker(200 * time.Millisecond)
	defer resized.Stop()
	for w.look(ctx); ctx.Err() == nil; {
		width, height, err := term.GetSize(int(out.Fd()))
		if err != nil || width <= 0 {
			width, height = 80, 24
		}
		if w.view.width, w.view.height = width, height; ctx.Err() == nil {
			if _, err := io.WriteString(out, frame(w.view.text(), height)); err != nil {
				return err
			}
		}
		w.next(ctx, ticker.C, resized.C, out)
	}
	return nil
}

// next waits until there is something new to show: other figures, or another size.
func (w *watch) next(ctx context.Context, tick, resized <-chan time.Time, out *os.File) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			w.look(ctx)
			return
		case <-resized:
			if width, height, err := term.GetSize(int(out.Fd())); err == nil &&
				(width != w.view.width || height != w.view.height) {
				return
			}
		}
	}
}

// frame is the text that overwrites the last view with this one.
func frame(text string, height int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return home + strings.Join(lines[:min(len(lines), max(height, 1))], clear+"\r\n") + clear + below
}

// untilQuit reads keys until one of them ends the view.
func untilQuit(in io.Reader, quit func()) {
	key := make([]byte, 1)
	for {
		if _, err := in.Read(key); err != nil || key[0] == 'q' || key[0] == 'Q' || key[0] == 3 { // ^C in raw mode
			quit()
			return
		}
	}
}
