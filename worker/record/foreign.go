// Foreign records: what a process does about one that it cannot read.

package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Errors of a record's content.
var (
	// ErrUnreadable: no process can read it. It is overwritten.
	ErrUnreadable = errors.New("record: it cannot be read")
	// ErrNewer: a later version wrote it. It is left to processes that can read it, see [Record.Left].
	ErrNewer = errors.New("record: it is of a later version; update this process")
)

// version is the version of a record's content in JSON, in the field v; 0, or no field, means the
// same.
const version = 1

// Decode reads a record's content in JSON into v; empty content leaves v as it is. The error is one
// of the two above and repeats nothing of the content.
func Decode(data []byte, v any) error {
	if len(data) == 0 {
		return nil
	}
	var head *struct {
		V int `json:"v"`
	}
	switch err := json.Unmarshal(data, &head); {
	case err != nil || head == nil:
		return fmt.Errorf("%w: %d bytes that are not one of our JSON objects", ErrUnreadable, len(data))
	case head.V > version:
		return fmt.Errorf("%w (%d, not %d)", ErrNewer, head.V, version)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: a field has another kind", ErrUnreadable)
	}
	return nil
}

// leaveFor is how long a record of a later version is left to others: a fleet whose processes are
// being replaced. After that nobody is there who wrote it. With what the partner package adds it is
// five minutes at most.
const leaveFor = 4 * time.Minute

// Left reports whether a record that was read with that error is left to others at now; else it is
// to be written over.
func (r Record) Left(err error, now time.Time) bool {
	return errors.Is(err, ErrNewer) && now.Sub(r.Time).Abs() < leaveFor
}
