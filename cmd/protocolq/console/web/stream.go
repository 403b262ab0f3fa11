// Server-sent events: what changes while a page is open.

package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// beat is how often a stream says that it is alive, and checks that its reader may still see it.
const beat = 15 * time.Second

// errEnded ends a stream whose reader may no longer see it.
var errEnded = errors.New("the session has ended")

// Stream keeps a response open. At each interval it calls next, which sends what is new by send: an
// event's name and a value for its JSON. next returns false when nothing more will come. The stream
// also ends when the reader leaves, or the reader's session ends.
func (x *Exchange) Stream(every time.Duration,
	next func(send func(event string, v any) error) (more bool, err error)) error {
	reader, most := x.Visit.User.Name, mostOfAReader
	if x.Visit.Local { // everybody on this machine is one reader
		most = mostStreams
	}
	if !x.server.tabs.open(reader, most) {
		return &Fault{Status: http.StatusServiceUnavailable, Err: errors.New("too many streams are open")}
	}
	defer x.server.tabs.closed(reader)
	out := http.NewResponseController(x.W)
	_ = out.SetWriteDeadline(time.Time{}) // it is set before each write
	x.W.Header().Set("Content-Type", "text/event-stream")
	x.W.Header().Set("X-Accel-Buffering", "no") // nginx would keep events until it has many
	write := func(text string) error {
		_ = out.SetWriteDeadline(time.Now().Add(beat))
		if _, err := x.W.Write([]byte(text)); err != nil {
			return fmt.Errorf("write to the browser: %w", err)
		}
		return out.Flush()
	}
	send := func(event string, v any) error {
		var data strings.Builder
		e := json.NewEncoder(&data)
		e.SetEscapeHTML(false) // it is read as JSON alone, and < would be six bytes
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("write event %s: %w", event, err)
		}
		return write("event: " + event + "\ndata: " + data.String() + "\n")
	}
	if err := write("retry: 3000\n\n"); err != nil {
		return nil // the reader has left
	}
	ticks, beats := time.NewTicker(every), time.NewTicker(beat)
	defer ticks.Stop()
	defer beats.Stop()
	for {
		if more, err := next(send); err != nil || !more {
			return x.ended(err)
		}
		select {
		case <-x.R.Context().Done():
			return nil
		case <-ticks.C:
		case <-beats.C:
			if err := x.alive(write); err != nil {
				return x.ended(err)
			}
		}
	}
}

// alive writes a comment, and ends the stream of a user who was removed.
func (x *Exchange) alive(write func(string) error) error {
	if now := x.server.visit(x.R); now.User.Name != x.Visit.User.Name || now.User.Role != x.Visit.User.Role {
		return errEnded
	}
	return write(": alive\n\n")
}

// ended logs the error that ended a stream: the response has begun, so that no page can show it.
func (x *Exchange) ended(err error) error {
	if err != nil && x.R.Context().Err() == nil && !errors.Is(err, errEnded) {
		x.server.o.Logger.Debug("a stream of the console ended", "path", x.R.Pattern, "err", err)
	}
	return nil
}
