// One call on its own, as the journal keeps it until the line of its run is written.

package querylog

import "fmt"

// usualAttempt has room for most calls, in bytes.
const usualAttempt = 96

// Encode encodes what the log shows of the call, for a later line of its run.
func (a Attempt) Encode() []byte {
	c := &codec{writing: true, out: make([]byte, 0, usualAttempt)}
	c.object(func() { a.fields(c) })
	return c.out
}

// DecodeAttempt reads what Attempt.Encode wrote, as strictly as DecodeRun.
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
