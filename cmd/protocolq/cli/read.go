// Files and pipes that are read whole, within a bound, until a signal.

package cli

import (
	"fmt"
	"io"
	"os"
)

// ReadBounded reads a whole file of at most limit bytes.
func ReadBounded(path string, limit int64) ([]byte, error) {
	return UntilStopped(path, func() ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return ReadAllBounded(f, path, limit)
	})
}

// UntilStopped gives the result of read, or an error at the first signal: a pipe may have no
// writer, and then opening it never ends. A read that goes on then ends with the program.
func UntilStopped[T any](path string, read func() (T, error)) (T, error) {
	type result struct {
		data T
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		return r.data, r.err
	case <-Signalled().Done():
		var none T
		return none, &StoppedError{Path: path}
	}
}

// ReadAllBounded reads r to its end, at most limit bytes; name is for the error.
func ReadAllBounded(r io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, limit)
	}
	return data, nil
}
