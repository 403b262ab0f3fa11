// Many partners, every kind of key, and keys that change during calls.

package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

func readKey(t *testing.T, st mapi.SignType, name string) mapi.Key {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("mapi", "testdata", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	k, err := mapi.ParseKey(st, b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPartnersOfEveryKind has four partners in one client, each with its key and charset. The
// gateway signs its answers, and each signature is verified.
func TestPartnersOfEveryKind(t *testing.T) {
	keys := map[string]mapi.Key{
		"2088101568350001": md5Key,
		"2088101568350002": readKey(t, mapi.RSA, "rsa_pkcs8.pem"),
		"2088101568350003": readKey(t, mapi.RSA2, "rsa_pkcs1.pem"),
		"2088101568350004": readKey(t, mapi.DSA, "dsa_pkcs8.pem"),
	}
	charsets := map[string]mapi.Charset{"2088101568350002": mapi.GBK, "2088101568350003": mapi.GB2312}
	var theirs []simulator.Partner
	var ours []gateway.Partner
	for id, key := range keys {
		theirs = append(theirs, simulator.Partner{ID: id, Key: key, Charset: charsets[id], SignAnswers: true})
		ours = append(ours, gateway.Partner{ID: id, Key: key, Charset: charsets[id], Verifier: key.Verifier()})
	}
	s := newSimulator(t, func(o *simulator.Options) { o.Partners = theirs })
	c := wired(t, s, func(o *gateway.Options) { o.Partners = ours })
	for id, key := range keys {
		a, _, err := c.Ask(t.Context(), gateway.Query{Partner: id, UserEmail: "张三@example.com"}, nil)
		if err != nil || a.Verification != mapi.Verified || a.Status != gateway.Signed {
			t.Errorf("%s: %+v, %v", key.SignType(), a, err)
		}
		_, _, err = c.Ask(t.Context(), gateway.Query{Partner: id, UserEmail: "fault-bad-sign@example.com"}, nil)
		var e *gateway.Error
		if !errors.As(err, &e) || e.Code != gateway.CodeUnreadable && e.Code != gateway.CodeBadSign {
			t.Errorf("%s: %v", key.SignType(), err)
		}
	}
	for _, call := range s.Calls() {
		if call.Key != "张三@example.com" && call.Fault == "" {
			t.Errorf("the gateway read %q", call.Key)
		}
	}
}

func TestSignThatCannotBeCheckedIsNotBelieved(t *testing.T) {
	key := readKey(t, mapi.RSA2, "rsa_pkcs1.pem")
	s := newSimulator(t, func(o *simulator.Options) {
		o.Partners = []simulator.Partner{{ID: partnerID, Key: key, SignAnswers: true}}
	})
	c := newClient(t, func(o *gateway.Options) {
		o.RoundTripper = s
		o.Partners = []gateway.Partner{{ID: partnerID, Key: key}}
	})
	a, _, err := c.Ask(t.Context(), email("signed"), nil)
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code != gateway.CodeBadSign || a.Status != "" {
		t.Errorf("%+v, %v", a, err)
	}
}

const (
	firstKey  = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6"
	secondKey = "ffffffffffffffffffffffffffffffff"
)

// keyFile is a key on disk, and a client that knows only the file.
func keyFile(t *testing.T, change func(*gateway.Options)) (path string, c *gateway.Client) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "key")
	write(t, path, firstKey+"\n")
	c = newClient(t, func(o *gateway.Options) {
		o.Partners = []gateway.Partner{{ID: partnerID, SignType: mapi.MD5, KeyFile: path}}
		change(o)
	})
	return path, c
}

func write(t *testing.T, path, text string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFileChanges(t *testing.T) {
	var log bytes.Buffer
	s := newSimulator(t, func(o *simulator.Options) { o.Partners[0].SignAnswers = true })
	next := newSimulator(t, func(o *simulator.Options) {
		o.Partners[0].Key, o.Partners[0].SignAnswers = mustKey(mapi.MD5, secondKey), true
	})
	of := &either{now: s}
	var changed []string
	path, c := keyFile(t, func(o *gateway.Options) {
		o.RoundTripper = of
		o.KeyChanged = func(partner string) { changed = append(changed, partner) }
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	ask := func() error {
		a, _, err := c.Ask(t.Context(), email("signed"), nil)
		if err == nil && a.Verification != mapi.Verified {
			err = fmt.Errorf("verification %q", a.Verification)
		}
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{"too short": firstKey[:31], "empty": "", "a page": strings.Repeat("x", 70<<10)} {
		write(t, path, bad)
		if err := c.Reload(); err == nil || strings.Contains(err.Error(), firstKey[:31]) {
			t.Errorf("%s: %v", name, err)
		}
		if err := ask(); err != nil {
			t.Errorf("%s: the old key is gone: %v", name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); !errors.Is(err, os.ErrNotExist) || ask() != nil {
		t.Errorf("no file: %v", err)
	}
	if len(changed) > 0 {
		t.Errorf("no key has changed, and it is said of %q", changed)
	}
	write(t, path, secondKey)
	if err := errors.Join(c.Reload(), c.Reload()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(changed, []string{partnerID}) {
		t.Errorf("the key has changed once, and it is said of %q", changed)
	}
	of.now = next
	if err := ask(); err != nil {
		t.Errorf("the new key, for signing and verifying: %v", err)
	}
	if n := strings.Count(log.String(), "new key in use"); n != 1 || strings.Contains(log.String(), secondKey) {
		t.Errorf("log:\n%s", &log)
	}
}

type either struct{ now *simulator.Simulator }

func (e *either) RoundTrip(r *http.Request) (*http.Response, error) { return e.now.RoundTrip(r) }

// TestKeyFilesAreWatched runs Run in a bubble: the change is seen within ReloadEvery, a bad
// file is logged once.
func TestKeyFilesAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		path, c := keyFile(t, func(o *gateway.Options) {
			o.RoundTripper = newSimulator(t, nil)
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait() // Run may be writing to the log
		if log.Len() > 0 {
			t.Errorf("nothing changed, and the log says %s", &log)
		}
		write(t, path, "bad")
		time.Sleep(time.Minute)
		synctest.Wait() // Run may be writing to the log
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("a bad file logged %d times:\n%s", n, &log)
		}
		write(t, path, secondKey)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !strings.Contains(log.String(), "new key in use") {
			t.Errorf("not seen within 5 s:\n%s", &log)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestKeyChangesUnderLoad: every signature is from one of the two keys, never a mixture.
func TestKeyChangesUnderLoad(t *testing.T) {
	path, c := keyFile(t, func(o *gateway.Options) { o.RoundTripper = newSimulator(t, nil) })
	verifiers := []mapi.Verifier{mustKey(mapi.MD5, firstKey).Verifier(), mustKey(mapi.MD5, secondKey).Verifier()}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r, err := c.Sign(email("signed"))
				if err != nil {
					t.Error(err)
					return
				}
				sign := r.Params.Get("sign")
				if verifiers[0].Verify(r.Params, mapi.UTF8, sign) != nil && verifiers[1].Verify(r.Params, mapi.UTF8, sign) != nil {
					t.Error("a sign of neither key")
					return
				}
			}
		})
	}
	for i := range 50 {
		write(t, path, []string{firstKey, secondKey, "bad"}[i%3])
		_ = c.Reload() // every third is bad, on purpose
	}
	close(done)
	wg.Wait()
}
