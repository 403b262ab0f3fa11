// Every subject and stream name, spelled out.

package messages_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

const token = "ota7c0eq15s636ogp5iigicor0"

func subjects(n messages.Names) map[string]string {
	return map[string]string{
		"query":         n.Query(),
		"query of":      n.QueryOf(partner),
		"query all":     n.QueryAll(),
		"submit":        n.Submit(),
		"submit of":     n.SubmitOf(partner, ""),
		"submit named":  n.SubmitOf(partner, "till-7"),
		"request":       n.Request(token),
		"requests":      n.Requests(),
		"state":         n.State(token),
		"state all":     n.StateAll(),
		"changed":       n.Changed(token),
		"changed all":   n.ChangedAll(),
		"reply":         n.Reply(),
		"reply of":      n.ReplyOf("till-7"),
		"event":         n.Event(partner, messages.NotSigned),
		"log run":       n.LogRun(),
		"log ask":       n.LogAsk(),
		"dead":          n.Dead(messages.DeadReplyFull),
		"wait":          n.Wait(partner),
		"partner":       n.Partner(partner, "rate"),
		"requests name": n.Stream(messages.Requests),
	}
}

func TestSubjects(t *testing.T) {
	want := map[string]string{
		"query":         "protocol.query",
		"query of":      "protocol.query.2088001122334455",
		"query all":     "protocol.query.*",
		"submit":        "protocol.submit",
		"submit of":     "protocol.submit.2088001122334455",
		"submit named":  "protocol.submit.2088001122334455.till-7",
		"request":       "protocol.request." + token,
		"requests":      "protocol.request.batch",
		"state":         "protocol.state." + token,
		"state all":     "protocol.state.*",
		"changed":       "protocol.changed." + token,
		"changed all":   "protocol.changed.*",
		"reply":         "protocol.reply.",
		"reply of":      "protocol.reply.till-7",
		"event":         "protocol.event.2088001122334455.not_signed",
		"log run":       "protocol.log.run",
		"log ask":       "protocol.log.ask",
		"dead":          "protocol.dead.reply_full",
		"wait":          "protocol.wait.2088001122334455",
		"partner":       "protocol.partner.2088001122334455.rate",
		"requests name": "PROTOCOL_REQUESTS",
	}
	if diff := cmp.Diff(want, subjects(names(t))); diff != "" {
		t.Errorf("default prefix (-want +got):\n%s", diff)
	}
	for name, subject := range want {
		subject = strings.Replace(subject, "protocol.", "air.china-1_x.", 1)
		want[name] = strings.Replace(subject, "PROTOCOL_", "AIR_CHINA-1_X_", 1)
	}
	other := must(messages.NewNames("air.china-1_x"))(t)
	if diff := cmp.Diff(want, subjects(other)); diff != "" {
		t.Errorf("other prefix (-want +got):\n%s", diff)
	}
	if other.Prefix() != "air.china-1_x" {
		t.Errorf("prefix %q", other.Prefix())
	}
}

func TestPrefixIsChecked(t *testing.T) {
	for _, p := range []string{"", ".", "a.", ".a", "a..b", "a b", "a.*", ">", "$JS", "协议", "a\n", "a/b", "a{b", "a@b", strings.Repeat("a", 65)} {
		if _, err := messages.NewNames(p); err == nil {
			t.Errorf("prefix %q was taken", p)
		}
	}
	if _, err := messages.NewNames(strings.Repeat("a", 64)); err != nil {
		t.Error(err)
	}
}

func TestStreams(t *testing.T) {
	n := names(t)
	want := map[string][]string{
		"PROTOCOL_REQUESTS": {"protocol.request.*", "protocol.submit", "protocol.submit.>"},
		"PROTOCOL_WAITING":  {"protocol.wait.*"},
		"PROTOCOL_STATE":    {"protocol.state.*"},
		"PROTOCOL_PARTNERS": {"protocol.partner.*.*"},
		"PROTOCOL_REPLIES":  {"protocol.reply.>"},
		"PROTOCOL_EVENTS":   {"protocol.event.*.*"},
		"PROTOCOL_LOG":      {"protocol.log.>"},
		"PROTOCOL_DEAD":     {"protocol.dead.*"},
	}
	got := map[string][]string{}
	for _, k := range messages.Kinds() {
		got[n.Stream(k)] = n.Captures(k)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("captures (-want +got):\n%s", diff)
	}
	if n.Captures("OTHER") != nil || n.Filter("other") != nil {
		t.Error("an unknown stream or consumer has subjects")
	}
	filters := append(n.Filter(messages.ConsumerAsked), n.Filter(messages.ConsumerSubmitted)...)
	if diff := cmp.Diff(n.Captures(messages.Requests), filters); diff != "" {
		t.Errorf("the consumers do not read what the stream captures:\n%s", diff)
	}
	if from, to := n.Republish(); from != "protocol.state.*" || to != "protocol.changed.{{wildcard(1)}}" {
		t.Errorf("republish %s to %s", from, to)
	}
}

func TestReadingSubjects(t *testing.T) {
	n := names(t)
	for _, s := range []string{n.Request(token), n.State(token), n.Changed(token)} {
		if key, ok := n.KeyOf(s); !ok || key != token {
			t.Errorf("KeyOf(%q) = %q, %v", s, key, ok)
		}
	}
	for _, s := range []string{"protocol.state", "protocol.state.", "protocol.state.a.b", "protocol.query.a", "x.state.a", n.Requests()} {
		if key, ok := n.KeyOf(s); ok {
			t.Errorf("KeyOf(%q) = %q", s, key)
		}
	}
	for s, want := range map[string]string{
		n.Query(): "", n.Submit(): "", n.QueryOf(partner): partner, n.SubmitOf(partner, ""): partner, n.SubmitOf(partner, "till-7"): partner,
	} {
		if got, ok := n.PartnerOf(s); !ok || got != want {
			t.Errorf("PartnerOf(%q) = %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"protocol.queryx", "protocol.state.a", "protocol"} {
		if got, ok := n.PartnerOf(s); ok {
			t.Errorf("PartnerOf(%q) = %q", s, got)
		}
	}
}
