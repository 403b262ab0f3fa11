// Keys from pipes, which can be read only once, and keys that are not new.

//go:build unix

package gateway_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// TestKeyFromAPipe: only New reads the pipe. Nothing writes into it a second time, so a reload that
// read it would hang, and one that read nothing would complain.
func TestKeyFromAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(firstKey + "\n")
			err = errors.Join(err, f.Close())
		}
		written <- err
	}()
	c := newClient(t, func(o *gateway.Options) {
		o.RoundTripper = newSimulator(t, nil)
		o.Partners = []gateway.Partner{{ID: partnerID, SignType: mapi.MD5, KeyFile: path}}
	})
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Reload(); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Sign(email("signed")); err != nil {
		t.Error(err)
	}
}

// TestSameKeyIsNoNews: a key that was given with its file is not new when the file is first read,
// nor is the same key in another form.
func TestSameKeyIsNoNews(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, firstKey+"\n")
	c := newClient(t, func(o *gateway.Options) {
		o.RoundTripper = newSimulator(t, nil)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Partners = []gateway.Partner{{ID: partnerID, Key: mustKey(mapi.MD5, firstKey), KeyFile: path}}
	})
	for _, text := range []string{firstKey + "\n", firstKey, firstKey + "\r\n"} {
		write(t, path, text)
		if err := c.Reload(); err != nil || log.Len() > 0 {
			t.Errorf("%q: %v, log %s", text, err, &log)
		}
	}
	write(t, path, secondKey)
	if err := c.Reload(); err != nil || !bytes.Contains(log.Bytes(), []byte("new key in use")) {
		t.Errorf("%v, log %s", err, &log)
	}
}
