// Every subject and stream name, spelled out.

package messages_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

func subjects(n messages.Names) map[string]string {
	return map[string]string{
		"query":        n.Query(),
		"query of":     n.QueryOf(partner),
		"query by":     n.QueryBy(partner, "till-7"),
		"query all":    n.QueryAll(),
		"submit":       n.Submit(),
		"submit of":    n.SubmitOf(partner, ""),
		"submit named": n.SubmitOf(partner, "till-7"),
		"changed":      n.Changed(partner + ".rate"),
		"reply":        n.Reply(),
		"reply of":     n.ReplyOf("till-7"),
		"event":        n.Event(partner, messages.NotSigned),
		"log run":      n.LogRun(),
		"log ask":      n.LogAsk(),
		"dead":         n.Dead(messages.DeadReplyFull),
		"partner":      n.Partner(partner, "rate"),
		"journal":      n.Journal(),
		"followed":     n.Followed(),
		"member":       n.Member("m1"),
		"members":      n.Members(),
		"ping":         n.Ping("m1"),
		"http":         n.HTTP("till-7", messages.HTTPAnswer, "r1"),
		"http stream":  n.StreamHTTP("till-7"),
		"forget":       n.Forget(),
		"intake":       n.Intake(),
		"alerts":       n.Alerts(),
		"redrive":      n.Redrive(partner),
		"submitted":    n.Stream(messages.Submitted),
		"watch":        n.Watch(messages.WatchDue, "o1", "w1"),
		"watches":      n.Stream(messages.Watches) + " " + n.Captures(messages.Watches)[0],
	}
}

func TestSubjects(t *testing.T) {
	want := map[string]string{
		"query":        "protocol.query",
		"query of":     "protocol.query.2088001122334455",
		"query by":     "protocol.query.2088001122334455.till-7",
		"query all":    "protocol.query.>",
		"submit":       "protocol.submit",
		"submit of":    "protocol.submit.2088001122334455",
		"submit named": "protocol.submit.2088001122334455.till-7",
		"changed":      "protocol.changed.2088001122334455.rate",
		"reply":        "protocol.reply.",
		"reply of":     "protocol.reply.till-7",
		"event":        "protocol.event.2088001122334455.not_signed",
		"log run":      "protocol.log.run",
		"log ask":      "protocol.log.ask",
		"dead":         "protocol.dead.reply_full",
		"partner":      "protocol.partner.2088001122334455.rate",
		"journal":      "protocol.journal.",
		"followed":     "protocol.followed.",
		"member":       "protocol.member.m1",
		"members":      "protocol.member.*",
		"ping":         "protocol.member.m1.ping",
		"http":         "protocol.http.till-7.answer.r1",
		"http stream":  "PROTOCOL_HTTP_till-7",
		"forget":       "protocol.forget",
		"intake":       "protocol.intake",
		"alerts":       "protocol.alerts",
		"redrive":      "protocol.redrive.2088001122334455",
		"submitted":    "PROTOCOL_SUBMITTED",
		"watch":        "protocol.watch.due.o1.w1",
		"watches":      "PROTOCOL_WATCHES protocol.watch.*.*.*",
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
		"PROTOCOL_JOURNAL":   {"protocol.journal.*"},
		"PROTOCOL_FLEET":     {"protocol.partner.*.*", "protocol.intake", "protocol.alerts"},
		"PROTOCOL_SUBMITTED": {"protocol.submit", "protocol.submit.>", "protocol.redrive.*", "protocol.forget"},
		"PROTOCOL_REPLIES":   {"protocol.reply.>"},
		"PROTOCOL_EVENTS":    {"protocol.event.*.*"},
		"PROTOCOL_LOG":       {"protocol.log.>"},
		"PROTOCOL_DEAD":      {"protocol.dead.*"},
	}
	got := map[string][]string{}
	for _, k := range messages.Kinds() {
		got[n.Stream(k)] = n.Captures(k)
	}
	if n.Captures("OTHER") != nil {
		t.Error("an unknown stream has subjects")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("captures (-want +got):\n%s", diff)
	}
}

func TestReadingSubjects(t *testing.T) {
	n := names(t)
	for s, want := range map[string]string{
		n.Query(): "", n.Submit(): "", n.QueryOf(partner): partner, n.SubmitOf(partner, ""): partner, n.SubmitOf(partner, "till-7"): partner,
	} {
		if got, ok := n.PartnerOf(s); !ok || got != want {
			t.Errorf("PartnerOf(%q) = %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"protocol.queryx", "protocol.journal.a", "protocol"} {
		if got, ok := n.PartnerOf(s); ok {
			t.Errorf("PartnerOf(%q) = %q", s, got)
		}
	}
}

func TestAskerOf(t *testing.T) {
	n := names(t)
	for s, want := range map[string]string{
		n.SubmitOf(partner, "till-7"):      "till-7",
		n.QueryOf(partner) + ".till-7":     "till-7",
		n.QueryOf(partner) + ".till-7.a":   "",
		n.QueryOf(partner) + ".till 7":     "",
		n.QueryOf(partner) + ".":           "",
		n.QueryOf(partner):                 "",
		n.Query():                          "",
		n.Redrive(partner) + ".till-7":     "",
		"other.query." + partner + ".till": "",
	} {
		if got := n.AskerOf(s); got != want {
			t.Errorf("AskerOf(%q) = %q, want %q", s, got, want)
		}
		if got, of := n.NamesAsker(s), strings.Contains(s, ".till") && strings.HasPrefix(s, n.Query()) || want != ""; got != of {
			t.Errorf("NamesAsker(%q) = %v", s, got)
		}
	}
}
