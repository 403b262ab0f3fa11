// Whatever comes in by a door is either an ask that the journal can hold, or a refusal that goes
// where replies may go.

package intake

import (
	"testing"
	"time"

	"protocolq/messages"
	"protocolq/worker/journal"
)

func FuzzRead(f *testing.F) {
	packed, err := messages.Query{ID: "mine", UserEmail: "a@b.cn", Key: "k", ReplyTo: "protocol.reply.x", DeadlineMs: 1_800_000_001_000}.Encode(messages.MsgPack)
	if err != nil {
		f.Fatal(err)
	}
	for _, subject := range []string{"protocol.query", "protocol.submit." + partner + ".shop", "protocol.redrive." + partner, "protocol.forget", "other"} {
		for _, body := range []string{"", "garbage", string(packed), `{"user_email":"a@b.cn","max_age_ms":0}`} {
			f.Add(subject, "_INBOX.x", "5-6/r1", "protocol.submit."+partner+".shop", body)
		}
	}
	for _, id := range []string{"order\u30001", "\u200border-1", " order-1", "\ufeff", "a\ufffdb"} { // no id of a body
		f.Add("protocol.submit."+partner, "_INBOX.x", id, "", `{"user_email":"a@b.cn"}`)
	}
	f.Fuzz(func(t *testing.T, subject, reply, id, cameBy, body string) {
		r := newReader(t)
		header := map[string][]string{messages.HeaderMsgID: {id}, messages.HeaderSubject: {cameBy}, messages.HeaderReplyTo: {reply}}
		for _, a := range []*arrived{r.awaited(subject, reply, header, body), r.names.submitted(subject, header, []byte(body), stored{7, time.Unix(0, 9)})} {
			k, refused := r.read(a, noon)
			switch {
			case (k == nil) == (refused == nil):
				t.Fatalf("read as %+v and refused as %+v", k, refused)
			case refused != nil:
				if refused.to != "" && r.names.CheckReply(refused.to, r.allow, r.own) != nil {
					t.Errorf("a refusal goes to %q", refused.to)
				}
				if _, err := message("_INBOX.x", &refused.result, refused.encoding, a.env.Trace, ""); err != nil {
					t.Errorf("the refusal cannot be written: %v", err)
				}
				continue
			}
			if err := r.complete(k); err != nil {
				t.Fatal(err)
			}
			if _, err := journal.Encode(1, 0, &k.entry); err != nil {
				t.Errorf("cannot be journalled: %v", err)
			}
			if to := k.entry.Reply; to != "" && r.names.CheckReply(to, r.allow, r.own) != nil {
				t.Errorf("the reply goes to %q", to)
			}
			if q, _, err := messages.DecodeQuery(k.entry.Query, ""); err != nil || q.ID != k.q.ID || q.Partner != k.entry.Partner {
				t.Errorf("journalled as %+v, %v", q, err)
			}
		}
	})
}
