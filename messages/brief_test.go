// What a refusal says in a log.

package messages_test

import (
	"errors"
	"strings"
	"testing"

	"protocolq/messages"
)

func TestBriefSaysNothingOfTheAskers(t *testing.T) {
	tests := []struct{ body, want string }{
		{`{"v":1,"alice@mail.example":1}`, "BAD_REQUEST"},
		{`{"v":1,"alice@mail.example":1,"alice@mail.example":2}`, "BAD_REQUEST"},
		{`{"v":1,"user_email":"alice mail.example"}`, "BAD_REQUEST in user_email"},
		{`{"v":1,"user_email":"a@b.cn","reply_to":"alice@mail.example*"}`, "REPLY_REFUSED in reply_to"},
	}
	for _, tt := range tests {
		_, _, err := messages.DecodeQuery([]byte(tt.body), "")
		refusal, ok := errors.AsType[*messages.Error](err)
		if !ok || refusal.Brief() != tt.want {
			t.Errorf("%s: brief %v, want %s", tt.body, err, tt.want)
		}
		if _, field, _ := strings.Cut(tt.want, " in "); ok && refusal.QueryField() != field {
			t.Errorf("%s: field %q, want %q", tt.body, refusal.QueryField(), field)
		}
	}
}
