// Reply subjects, with every known attack.

package messages_test

import (
	"errors"
	"strings"
	"testing"

	"protocolq/messages"
)

func TestCheckReply(t *testing.T) {
	n := names(t)
	own := append(messages.OwnInboxes(), "_INBOX.tdUmaPFyJTYx2Nsd0qpBaA")
	const (
		notListed = "is not under an allowed prefix"
		ours      = "is a subject of the workers themselves"
		inbox     = "is an inbox of the workers themselves"
		wildcard  = "has a wildcard"
		dollar    = "has a $"
		character = "has a space, a control character"
		gap       = "has an empty part"
	)
	custom := []string{"_INBOX", "_INBOX_rq", "_INBOX_wk", "_R_.", "billing.answers", "protocol.reply.>", "protocol", "$JS", ">"}
	for _, c := range []struct {
		allowed []string
		want    string
		in      []string
	}{
		{n.DefaultReplies(), "", []string{"_INBOX.x", "_INBOX.b7Kq.1", "protocol.reply.till-7", "protocol.reply.a.b", "_INBOX." + strings.Repeat("x", 248),
			"_INBOX_refunds.x", "_INBOX_wk2.a", "_R_.a.b"}},
		{n.DefaultReplies(), notListed, []string{"_INBOXx", "_R_", "_R_x.a", "_GR_.a", "orders.new", "protocolx.a", "protocols"}},
		{n.DefaultReplies(), inbox, []string{"_INBOX_wk.a", "_INBOX_wk", "_INBOX.tdUmaPFyJTYx2Nsd0qpBaA.1"}},
		{n.DefaultReplies(), ours, []string{
			"protocol.query", "protocol.query." + partner, "protocol.submit", "protocol.submit." + partner, "protocol.journal.x", "protocol.followed.x", "protocol.changed.x.y",
			"protocol.member.x", "protocol.redrive.x", "protocol.forget", "protocol.partner.x.y", "protocol.event.x.y", "protocol.log.run", "protocol.dead.x", "protocol", "protocol.reply", "protocol.new",
		}},
		{n.DefaultReplies(), dollar, []string{"$JS.API.STREAM.DELETE.PROTOCOL_JOURNAL", "$JS.ACK.a", "$KV.b.k", "$SYS.REQ", "_INBOX.$x"}},
		{n.DefaultReplies(), wildcard, []string{"_INBOX.>", "_INBOX.*", "_INBOX.a*b", ">"}},
		{n.DefaultReplies(), character, []string{"_INBOX.a b", "_INBOX.a\r\nPUB x 0", "_INBOX.张", "_INBOX.\x7f", "\t"}},
		{n.DefaultReplies(), gap, []string{".", "_INBOX.", "_INBOX..a", "._INBOX.a", "protocol.reply."}},
		{n.DefaultReplies(), "is empty", []string{""}},
		{n.DefaultReplies(), "is 256 bytes long; at most 255", []string{"_INBOX." + strings.Repeat("x", 249)}},
		{nil, notListed, []string{"_INBOX.x"}},
		{[]string{"", ">", "."}, notListed, []string{"_INBOX.x"}},
		{custom, "", []string{"_INBOX_rq.x", "_R_.a", "billing.answers", "billing.answers.7", "protocol.reply.a"}},
		{[]string{"_INBOX_"}, notListed, []string{"_INBOX.x", "_INBOX"}},
		{n.DefaultReplies(), inbox, messages.OwnInboxes()},
		{custom, notListed, []string{"billing", "billing.answersx", "_INBOX_rqx.a"}},
		{custom, ours, []string{"protocol.journal.x"}},
		{custom, inbox, []string{"_INBOX_wk.x"}},
		{custom, dollar, []string{"$JS.API.INFO"}},
	} {
		for _, subject := range c.in {
			err := n.CheckReply(subject, c.allowed, own)
			if c.want == "" {
				if err != nil {
					t.Errorf("%q with %q: %v", subject, c.allowed, err)
				}
				continue
			}
			var e *messages.Error
			if !errors.As(err, &e) || e.Code != messages.ReplyRefused || e.Field != "reply_to" || !strings.Contains(e.Reason, c.want) {
				t.Errorf("%.80q with %q: %v, want: %s", subject, c.allowed, err, c.want)
			}
		}
	}
}

func TestCheckReplyOf(t *testing.T) {
	n := names(t)
	for _, c := range []struct {
		asker, subject string
		ok             bool
	}{
		{"", "protocol.reply.other", true}, {"", "_INBOX.x", true}, {"shop", "protocol.reply.shop", true}, {"shop", "protocol.reply.shop.7.a", true},
		{"shop", "protocol.reply.shops", false}, {"shop", "protocol.reply.other", false}, {"shop", "protocol.reply.", false}, {"shop", "_INBOX.x", false},
		{"shop", "protocol.reply.other.shop", false}, {"shop", "other.reply.shop", false}, {"shop", "", false},
	} {
		err := n.CheckReplyOf(c.asker, c.subject)
		var e *messages.Error
		if c.ok != (err == nil) || !c.ok && (!errors.As(err, &e) || e.Code != messages.ReplyRefused || !strings.Contains(e.Reason, "protocol.reply.shop")) {
			t.Errorf("%q to %q: %v", c.asker, c.subject, err)
		}
	}
}

func TestCheckSubmitted(t *testing.T) {
	n := names(t)
	for reply, want := range map[string]string{"": "", "_INBOX.x": "", "billing.answers": "", "protocol.reply.me": "",
		"protocol.query": "a subject of the workers", "_INBOX_wk.x": "an inbox of the workers", "_INBOX_wr.x": "an inbox of the workers", "a.*": "wildcard"} {
		err := n.CheckSubmitted(messages.Query{V: messages.Version, ID: "1", UserEmail: "a@example.com", ReplyTo: reply})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want: %s", reply, err, want)
		}
	}
	if err := n.CheckSubmitted(messages.Query{V: messages.Version, ID: "1"}); err == nil {
		t.Error("a query of nobody was taken")
	}
}

func TestCheckAllowed(t *testing.T) {
	n := names(t)
	for _, entry := range append(n.DefaultReplies(), "_INBOX.", "_INBOX.>", "_INBOX_rq", "_R_", "billing.answers", "protocol.reply.till-7", "protocol.reply.>") {
		if err := n.CheckAllowed(entry); err != nil {
			t.Errorf("%q: %v", entry, err)
		}
	}
	for _, entry := range []string{"", ".", ">", "*", "_INBOX.*", "$JS", "$KV.", "protocol", "protocol.", "protocol.>", "protocol.journal", "protocol.query.>", "a b", "a..b"} {
		if err := n.CheckAllowed(entry); err == nil {
			t.Errorf("%q was taken", entry)
		}
	}
}
