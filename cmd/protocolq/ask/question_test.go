// What the command line says of one query, and how it ends without an answer.

package ask

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"protocolq/cmd/protocolq/cli"
)

func TestQuestionFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--email a@example.com", ""},
		{"--email= --account 20880000000000010156", ""},
		{"--email a@example.com --account=", ""},
		{"--email= --account=", "--email or --account is needed"},
		{"--email a@example.com --id=", "--id is empty"},
		{"--email a@example.com --key=", "--key is empty"},
		{"--email a@example.com --partner=", "--partner is empty"},
		{"--email a@example.com --reply-to=", "--reply-to is empty"},
		{"--email a\xff@example.com", "--email is not UTF-8"},
		{"--email a@example.com --account \xff", "--account is not UTF-8"},
		{"--email a@example.com --id \xff", "--id is not UTF-8"},
		{"--email a@example.com --key \xff", "--key is not UTF-8"},
		{"--email a@example.com --reply-to \xff", "--reply-to is not UTF-8"},
	} {
		var q question
		cmd := &cobra.Command{}
		q.addAccount(cmd.Flags())
		q.addMessage(cmd.Flags())
		cmd.Flags().StringVar(&q.replyTo, "reply-to", "", "")
		if err := cmd.ParseFlags(strings.Fields(c.args)); err != nil {
			t.Fatal(err)
		}
		m, err := q.message(cmd)
		exit, _ := errors.AsType[*cli.Error](err)
		if c.want == "" && (err != nil || m.ID == "") || c.want != "" && (exit == nil || exit.Code != cli.ExitUsage || !strings.HasPrefix(exit.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.args, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "example") {
			t.Errorf("%q: the error shows it: %v", c.args, err)
		}
	}
}

func TestNotStored(t *testing.T) {
	large := &jetstream.APIError{Code: 400, ErrorCode: 10054, Description: "message size exceeds maximum allowed"}
	full := &jetstream.APIError{Code: 503, ErrorCode: 10077, Description: "maximum messages exceeded"}
	for _, c := range []struct {
		err  error
		code int // 0: an error without an exit code of its own
		want string
	}{
		{nats.ErrNoResponders, cli.ExitNoAnswer, "no stream takes protocol.submit"},
		{full, cli.ExitOther, "the stream of protocol.submit refused it: maximum messages exceeded"},
		{large, cli.ExitOther, "the stream of protocol.submit refused it: message size"},
		{fmt.Errorf("%w after 9 tries: %w", context.DeadlineExceeded, full), cli.ExitNoAnswer, "no answer within 2s"},
		{fmt.Errorf("%w after 9 tries: %w", context.Canceled, full), 0, "stopped by a signal"},
		{fmt.Errorf("%w after 1 tries: %w", context.Canceled, nats.ErrNoResponders), 0, "stopped by a signal"},
		{fmt.Errorf("%w after 9 tries: %w", context.DeadlineExceeded, nats.ErrPermissionViolation), cli.ExitNoAnswer, "no answer: the server forbids this user protocol.submit"},
		{fmt.Errorf("%w after 1 tries: %w", context.Canceled, nats.ErrPermissionViolation), cli.ExitNoAnswer, "no answer: the server forbids this user protocol.submit"},
	} {
		err := notStored(c.err, "protocol.submit", 2*time.Second)
		code := 0
		if exit, ok := errors.AsType[*cli.Error](err); ok {
			code = exit.Code
			if strings.Contains(exit.Hint, "workers running") != strings.HasSuffix(c.want, "maximum messages exceeded") {
				t.Errorf("%v: hint %q", c.err, exit.Hint)
			}
		}
		if code != c.code || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v: %v with code %d, want %q with %d", c.err, err, code, c.want, c.code)
		}
	}
}
