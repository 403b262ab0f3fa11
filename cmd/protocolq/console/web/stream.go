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

// beat is how often a stream says that it is alive, and asks whether its reader still may.
const beat = 15 * time.Second

// errEnded is the end of a stream whose reader may no longer see it.
var errEnded = errors.New("the session has ended")

// Stream keeps an answer open. Every so often it calls next, which sends what is new by send, an
// event's name and what becomes its JSON; next returns false when there will be no more. A reader
// who has left, and one whose session has ended, end it.
func (x *Exchange) Stream(every time.Duration,
	next func(send func(event string, v any) error) (more bool, err error)) error {
	reader, most := x.Visit.User.Name, mostOfAReader
	if x.Visit.Local { // who sits at this machine is all that there is
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
		return nil // the reader has left: nobody is there to be told
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

// alive writes a comment, and ends the stream of somebody who was removed.
func (x *Exchange) alive(write func(string) error) error {
	if now := x.server.visit(x.R); now.User.Name != x.Visit.User.Name || now.User.Role != x.Visit.User.Role {
		return errEnded
	}
	return write(": alive\n\n")
}

// ended logs what a stream ended with: the answer has begun, so that no page can say it.
func (x *Exchange) ended(err error) error {
	if err != nil && x.R.Context().Err() == nil && !errors.Is(err, errEnded) {
		x.server.o.Logger.Debug("a stream of the console ended", "path", x.R.Pattern, "err", err)
	}
	return nil
}
