// The headers of replies, and our own codes as Results.

package messages_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

func TestReplyHeader(t *testing.T) {
	trace := "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
	for name, c := range map[string]struct {
		r         messages.Result
		e         messages.Encoding
		trace, id string
		want      map[string][]string
	}{
		"plain":    {r: messages.Result{Outcome: messages.Signed, Run: "r"}, e: messages.MsgPack},
		"accepted": {r: messages.Result{Outcome: messages.Accepted}, e: messages.MsgPack},
		"JSON": {r: messages.Result{Outcome: messages.Signed, Run: "r"}, e: messages.JSON, want: map[string][]string{
			"Content-Type": {"application/json"}, "Protocol-Outcome": {"signed"}, "Protocol-Run": {"r"}}},
		"traced": {r: messages.Result{Outcome: messages.NotSigned}, e: messages.MsgPack, trace: trace, want: map[string][]string{
			"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"not_signed"}, "traceparent": {trace}}},
		"durable": {r: messages.Result{Outcome: messages.Signed}, e: messages.MsgPack, id: "token", want: map[string][]string{
			"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"signed"}, "Nats-Msg-Id": {"token"}}},
		"unknown": {r: messages.CodeResult(messages.Overloaded), e: messages.MsgPack, want: map[string][]string{
			"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"unknown"},
			"Nats-Service-Error": {"OVERLOADED"}, "Nats-Service-Error-Code": {"503"}}},
		"no code": {r: messages.Result{Outcome: messages.Unknown}, e: messages.MsgPack, want: map[string][]string{
			"Content-Type": {"application/msgpack"}, "Protocol-Outcome": {"unknown"},
			"Nats-Service-Error": {"unknown"}, "Nats-Service-Error-Code": {"503"}}},
	} {
		if d := cmp.Diff(c.want, c.r.ReplyHeader(c.e, c.trace, c.id)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestCodeResult(t *testing.T) {
	for code, status := range map[string]int{messages.BadRequest: 400, messages.TooLarge: 400, messages.KeyConflict: 409,
		messages.NotAllowed: 403, messages.ReplyRefused: 403, messages.DeadlinePassed: 503, "ANOTHER": 503} {
		r := messages.CodeResult(code)
		if got := r.Status(); got != status || r.Retryable != (status == 503) || r.Code != code || r.Outcome.Conclusive() {
			t.Errorf("%s: status %d, %+v", code, got, r)
		}
	}
}
