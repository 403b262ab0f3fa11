// One query over a connection, and what it means if no answer comes.

package natsconn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
	"protocolq/messages/ask"
)

// Ask sends one query and reads its one answer.
func Ask(ctx context.Context, nc *nats.Conn, subject string, q messages.Query) (messages.Result, error) {
	msg, err := Message(subject, q)
	if err != nil {
		return messages.Result{}, err
	}
	reply, err := nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		if word := Forbade(nc); word != nil {
			err = fmt.Errorf("%w: %w", err, word)
		}
		return messages.Result{}, err
	}
	r, _, err := messages.DecodeResult(reply.Data, reply.Header.Get(messages.HeaderContentType))
	if err != nil {
		if captured := ask.Captured(reply); captured != nil {
			err = &cli.Error{Code: cli.ExitOther, Err: captured,
				Hint: "take " + subject + " from its subjects: 'nats stream edit'"}
		}
		return messages.Result{}, fmt.Errorf("read answer: %w", err)
	}
	return r, nil
}

// Message is the message that puts q on subject.
func Message(subject string, q messages.Query) (*nats.Msg, error) {
	data, err := q.Encode(messages.MsgPack)
	if err != nil {
		return nil, fmt.Errorf("write query: %w", err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header.Set(messages.HeaderContentType, string(messages.MsgPack))
	return msg, nil
}

// NoAnswer gives the exit code and what to do for each reason why no answer came.
func NoAnswer(err error, subject string, timeout time.Duration) error {
	switch {
	case errors.Is(err, nats.ErrPermissionViolation): // before the next: WhileAllowed has cancelled the wait
		return &cli.Error{Code: cli.ExitNoAnswer,
			Err: fmt.Errorf("no answer: the server forbids this user %s, or an inbox for its answer", subject),
			Hint: "--nats-creds says who you are, --inbox-prefix which inboxes you have; a user may be allowed only " +
				"the subjects of some partners: --partner"}
	case errors.Is(err, context.Canceled):
		return cli.ErrStopped
	case errors.Is(err, nats.ErrNoResponders):
		return &cli.Error{Code: cli.ExitNoAnswer, Err: fmt.Errorf("no worker listens on %s", subject),
			Hint: "no worker is running there: start one, or check --nats and --prefix"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return &cli.Error{Code: cli.ExitNoAnswer, Err: fmt.Errorf("no answer within %s", cli.Short(timeout)),
			Hint: "asking again is safe: a call that was made is not made twice"}
	}
	return err
}
