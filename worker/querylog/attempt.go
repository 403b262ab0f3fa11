// One call by itself, as the journal keeps it until its run's line is written.

package querylog

import "fmt"

// usualAttempt has room for most calls, in bytes.
const usualAttempt = 96

// Encode writes what the log shows of the call, to go into the line of its run later.
func (a Attempt) Encode() []byte {
	c := &codec{writing: true, out: make([]byte, 0, usualAttempt)}
	c.object(func() { a.fields(c) })
	return c.out
}

// DecodeAttempt reads what Attempt.Encode wrote, with the strictness of DecodeRun.
func DecodeAttempt(data []byte) (a Attempt, err error) {
	c, err := newReading(data)
	if err == nil {
		c.object(func() { a.fields(c) })
		err = c.end()
	}
	if err != nil {
		return Attempt{}, fmt.Errorf("read attempt: %w", err)
	}
	return a, nil
}
