//go:build unix

// The checker on the query log, and the hunt for what must not be seen: each broken once, and seen.

package main

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"protocolq/messages"
	"protocolq/worker/querylog/database"
)

// soundLog is the sound testimony with its query log.
func soundLog() *testimony {
	t := sound()
	key := map[string]string{}
	for i, email := range []string{"signed+1@example.com", "not-signed+2@example.com"} {
		key[fmt.Sprintf("k%d", i+1)] = messages.Query{Partner: partner, UserEmail: email}.KeyToken()
	}
	for i := range t.Written {
		t.Written[i].Key = key[t.Written[i].Key]
	}
	t.Written[2].At, t.Written[4].At = 9*second, 14*second
	t.Log = &queryLog{Runs: map[string][]database.Call{"r1": {{AtMs: 1000}}, "r2": {{AtMs: 10_000, Cut: true}}, "r3": {{AtMs: 15_000}}},
		Asks: []database.Ask{{ID: "a", Run: "r1", Outcome: "signed"}, {ID: "b", Run: "r1", Outcome: "signed"}, {ID: "c", Run: "r3", Outcome: "not_signed"}}}
	return t
}

func TestASoundQueryLogHolds(t *testing.T) {
	v := judge(soundLog(), bounds{Excused: true, Recovery: recovery})
	if len(v.Broken) != 0 || len(v.Figures) != 2 { // no figure of the hunt: nothing was looked through
		t.Errorf("broken: %v, offences: %v", v.Broken, v.Offences)
	}
}

func TestEveryGapInTheQueryLogIsSeen(t *testing.T) {
	for _, c := range []struct {
		word   string
		breaks func(*testimony)
	}{
		{"no claim was stored", func(t *testimony) { t.Written[2].At = 10*second + 1 }},
		{"no claim was stored", func(t *testimony) { t.Written[4].Phase = "done" }},
		{"not in the query log", func(t *testimony) { t.Log.Runs["r1"] = nil }},
		{"not in the query log", func(t *testimony) { delete(t.Log.Runs, "r2") }},
		{"without a call", func(t *testimony) { t.Log.Runs["r1"] = append(t.Log.Runs["r1"], database.Call{AtMs: 1500}) }},
		{"nobody died", func(t *testimony) { t.Faults[0].Kind = downed }},
		{"without their line", func(t *testimony) { t.Log.Asks = t.Log.Asks[1:] }},
		{"without their line", func(t *testimony) { t.Log.Asks[1].Outcome = "unknown" }},
		{"nobody made", func(t *testimony) { t.Log.Asks[1].ID = "z" }},
		{"nobody died", func(t *testimony) {
			t.Log.Asks, t.Faults = t.Log.Asks[1:], nil
			t.Asks["a"].Told[0].Source = "remembered"
		}},
		{"nothing is proved", func(t *testimony) { t.Asks = nil }},
	} {
		t.Run(c.word, func(t *testing.T) {
			saw := soundLog()
			c.breaks(saw)
			v := verdict{}
			v.log(saw)
			if !strings.Contains(fmt.Sprint(v.Broken), c.word) {
				t.Errorf("not seen; broken: %v", v.Broken)
			}
		})
	}
	saw := soundLog()
	saw.Log.Asks, saw.Asks["a"].Told[0].Source = saw.Log.Asks[1:], "remembered"
	if v := judge(saw, bounds{Excused: true, Recovery: recovery}); len(v.Broken) != 0 {
		t.Errorf("a batch that died with its worker: %v", v.Broken)
	}
}

func TestTheHuntFinds(t *testing.T) {
	const secret = "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3y"
	saw := &testimony{Asks: map[string]*asked{"a": {Email: emailOf("signed", "7")}}}
	h := t.TempDir()
	write(t, h+"/"+partner+".key", secret+"\n")
	f, err := newHunt(&house{dir: h}, saw)
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{
		"sign with " + secret, strings.ToUpper(secret), base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(emailOf("signed", "7")),
		"who=signed%2B%63anaryperson7%40", "account " + canaryAccount + "00000001", "key " + messages.Query{Partner: partner, UserEmail: emailOf("signed", "7")}.KeyToken(),
	} {
		if f.first([]byte("0123 "+hidden+" 456%")) == "" {
			t.Errorf("not found in %q", hidden)
		}
	}
	if found := f.first([]byte("s***@c***.example 2088000000000001 aaaaaaaaaaaaaaaaaaaaaaaaaa %zz")); found != "" {
		t.Errorf("found %s where there is nothing", found)
	}
	saw.Leaks = []string{"worker-1 shows it"}
	if v := judge(saw, bounds{}); !strings.Contains(fmt.Sprint(v.Broken), "a secret or a person") {
		t.Errorf("a leak breaks nothing: %v", v.Broken)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
