//go:build unix

// The hunt (I9): the partner's key, every e-mail, every account and every guessable key name are
// searched for in everything that others than the askers can read.

package testbed

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// hunt looks for the canaries.
type hunt struct {
	t     *verdict.Evidence
	words []string // plain and in their possible encodings
	// names of the keys derived from the question alone: with the e-mail, anybody can compute them
	tokens map[string]bool
}

// tokenForm is the form of a key's name.
var tokenForm = regexp.MustCompile(`[0-9a-v]{26,}`)

// newHunt reads the partner's key where the workers do.
func newHunt(h *Bed, t *verdict.Evidence) (*hunt, error) {
	key, err := os.ReadFile(filepath.Join(h.Dir, verdict.Partner+".key"))
	if err != nil {
		return nil, fmt.Errorf("read the canary: %w", err)
	}
	secret := strings.TrimSpace(string(key))
	f := &hunt{t: t, tokens: map[string]bool{}, words: []string{secret, hex.EncodeToString([]byte(secret)),
		base64.RawStdEncoding.EncodeToString([]byte(secret)),
		CanaryName, strings.TrimSuffix(CanaryDomain, ".example"), canaryAccount}}
	for _, a := range t.Asks {
		if a.Key == "" {
			f.tokens[a.Query().KeyToken()] = true
		}
	}
	return f, nil
}

// through searches a text, as it is and with %xx decoded.
func (f *hunt) through(where string, text []byte) {
	f.t.Looked += int64(len(text))
	if found := f.first(text); found != "" {
		f.t.Leaks = append(f.t.Leaks, where+" shows "+found)
	}
}

func (f *hunt) first(text []byte) string {
	forms := [][]byte{text}
	if bytes.IndexByte(text, '%') >= 0 {
		forms = append(forms, unescaped(text))
	}
	for _, form := range forms {
		form = bytes.ToLower(form)
		for _, w := range f.words {
			if at := bytes.Index(form, []byte(strings.ToLower(w))); at >= 0 {
				return fmt.Sprintf("%.12s… in %q", w, form[max(0, at-60):min(len(form), at+60)])
			}
		}
		for _, found := range tokenForm.FindAll(form, -1) {
			if f.tokens[string(found)] {
				return "the name of a key, " + string(found)
			}
		}
	}
	return ""
}

// unescaped is text with each %xx as its byte, whatever surrounds it.
func unescaped(text []byte) []byte {
	return regexp.MustCompile(`%[0-9a-fA-F]{2}`).ReplaceAllFunc(text, func(code []byte) []byte {
		plain, err := url.PathUnescape(string(code))
		if err != nil {
			return code
		}
		return []byte(plain)
	})
}

// Search searches what the test bed leaves behind: logs, the database's bytes, events, the
// service's own answers, and what the commands show of dead letters, partners and the query log.
func (h *Bed) Search(ctx context.Context, t *verdict.Evidence) error {
	f, err := newHunt(h, t)
	if err != nil {
		return err
	}
	if err := f.files(h.Dir); err != nil {
		return err
	}
	err = h.Observer.Each(ctx, messages.Events, func(m jetstream.Msg) {
		f.through("event", fmt.Appendf(nil, "%s %v %s", m.Subject(), m.Headers(), m.Data()))
	})
	if err != nil {
		return err
	}
	if len(h.Services) == 0 {
		t.Surplus = append(t.Surplus, "no worker told of its service: nothing to hunt in")
	}
	for _, told := range h.Services {
		f.through("service", told)
	}
	return f.commands(ctx, h)
}

// files searches the files of the tested processes, and the query log's bytes. In the askers' own
// logs the canaries must be found: otherwise the hunt would prove nothing.
func (f *hunt) files(dir string) error {
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	found := false
	for _, path := range all {
		name := filepath.Base(path)
		asker := strings.HasSuffix(name, ".jsonl")
		product := strings.HasPrefix(name, "worker-") || strings.HasPrefix(name, "recorder-") ||
			strings.HasPrefix(name, "provision") || strings.HasPrefix(name, "log.db")
		if !asker && !product {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("hunt: %w", err)
		}
		if asker {
			found = found || f.first(text) != ""
			continue
		}
		f.through(name, text)
	}
	if !found {
		f.t.Surplus = append(f.t.Surplus, "the hunt finds nothing where all is in the clear: nothing is proved")
	}
	return nil
}

// commands lets the program show what an operator may see.
func (f *hunt) commands(ctx context.Context, h *Bed) error {
	nats := []string{"--nats", h.Cluster.uRLs()}
	list := [][]string{append([]string{"dead", "list", "--limit", "0"}, nats...),
		append([]string{"dead", "list", "--limit", "0", "-o", "json"}, nats...),
		append([]string{"partner", "list"}, nats...)}
	if f.t.Log != nil {
		db := []string{"--database", "sqlite://" + filepath.Join(h.Dir, "log.db")}
		list = append(list, append([]string{"log", "list", "--limit", "1000"}, db...),
			append([]string{"log", "export"}, db...))
		if len(f.t.Log.Asks) > 0 {
			list = append(list, append([]string{"log", "show", f.t.Log.Asks[0].ID}, db...))
		}
	}
	err := h.Observer.Each(ctx, messages.Dead, func(m jetstream.Msg) {
		if meta, err := m.Metadata(); err == nil && len(list) < 12 {
			list = append(list, append([]string{"dead", "show", fmt.Sprint(meta.Sequence.Stream)}, nats...))
		}
	})
	if err != nil {
		return err
	}
	for i, args := range list {
		name := fmt.Sprintf("shown-%d-%s-%s", i, args[0], args[1])
		p, err := start(ctx, h.Dir, name, nil, h.Programs.protocolq, args...)
		if err != nil {
			return err
		}
		if code, err := p.End(30 * time.Second); err != nil || code != 0 {
			return fmt.Errorf("%s ended with %d: %w", strings.Join(args, " "), code, err)
		}
		text, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		f.through(name, text)
	}
	return nil
}

// Service asks all live workers for their service information.
func (h *Bed) Service(verb string) (told [][]byte) {
	inbox := h.Observer.Conn.NewInbox()
	sub, err := h.Observer.Conn.SubscribeSync(inbox)
	if err != nil || h.Observer.Conn.PublishRequest("$SRV."+verb+".protocol-query", inbox, nil) != nil {
		return nil
	}
	defer func() { _ = sub.Unsubscribe() }()
	for {
		m, err := sub.NextMsg(300 * time.Millisecond)
		if err != nil {
			return told
		}
		told = append(told, m.Data)
	}
}
