// The practice partners: two made-up partners with made-up keys, which the practice gateway and its
// callers know.

package settings

import (
	"protocolq/cmd/protocolq/cli"
	"protocolq/gateway"
	"protocolq/gateway/mapi"
)

// PracticeSet is public, so it protects nothing. The real gateway does not know it.
var PracticeSet = []struct{ ID, Charset, Key string }{
	{"2088000000000001", "utf-8", "practice0000practice0000practice"},
	{"2088000000000002", "gbk", "practice1111practice1111practice"},
}

// PracticePartners gives the practice set to a client of the gateway; the first is the default
// partner.
func PracticePartners() []gateway.Partner {
	list := make([]gateway.Partner, 0, len(PracticeSet))
	for _, p := range PracticeSet {
		cs, err := mapi.ParseCharset(p.Charset)
		cli.Must(err)
		key, err := mapi.ParseKey(mapi.MD5, []byte(p.Key))
		cli.Must(err)
		list = append(list, gateway.Partner{ID: p.ID, Charset: cs, Key: key})
	}
	return list
}

// Practice fills c with the defaults and the practice partner.
func Practice(c *Config) {
	set := New(c)
	for _, s := range set.list {
		if s.parse != nil {
			cli.Must(s.parse(s.fallback))
		}
	}
	c.Partner = PracticeSet[0].ID
}
