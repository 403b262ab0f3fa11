//go:build unix

// What the program promises to users of its commands: an answer within the caller's own time,
// and an answer to queries that wait for a signing key to be replaced, as soon as it is.

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// A query with --timeout gets DEADLINE before its time ends, even if it joins a call that hangs
// for longer. A tenth of its time is for the way back: 2 s here, which a busy machine may need.
func TestPromiseQueryTimeoutIsToldDeadline(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{})
	s.workers(2)
	var all []*process
	for range 4 {
		all = append(all, launch(t, nil, "query", "--nats", s.nats, "--email", person("fault-hang", 1), "--timeout", "20s", "-o", "json"))
	}
	for _, p := range all {
		code := p.exit()
		var r messages.Result
		if err := json.Unmarshal([]byte(p.out.String()), &r); err != nil || code != cli.ExitUnknown || r.Code != messages.DeadlinePassed || r.Run == "" {
			t.Errorf("exit code %d, %v: %s%s", code, err, p.out, p.err)
		}
	}
}

// A worker's signing key is wrong, and its partner is halted. When the file has the right key,
// submitted queries that wait are answered soon, and not up to a minute later with the next
// probe.
func TestPromiseReplacedKeyFileWakesWhoWaits(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{})
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("wrong0000wrong0000wrong0000wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := s.begin("--key-file", file).ready()
	nc := s.connect()
	client, err := ask.New(nc, ask.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		r, err := client.Ask(t.Context(), messages.Query{UserEmail: person("signed", i)})
		if want := []string{"ILLEGAL_SIGN", messages.PartnerHalted}[i/5]; err != nil || r.Code != want {
			t.Fatalf("ask %d: %s %s, %v", i, r.Outcome, r.Code, err)
		}
	}
	replies, err := nc.SubscribeSync("protocol.reply.till")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Submit(t.Context(), messages.Query{UserEmail: person("signed", "patient"), ReplyTo: replies.Subject}); err != nil {
		t.Fatal(err)
	}
	s.parked(1)
	key, err := os.ReadFile(filepath.Join(s.keys, settings.PracticeSet[0].ID+".key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := replies.NextMsg(40 * time.Second) // the worker checks the file every 5 s
	if err != nil {
		t.Fatal(err)
	}
	if r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType)); err != nil || r.Outcome != messages.Signed {
		t.Errorf("told %s %s, %v", r.Outcome, r.Code, err)
	}
	w.stop()
}
