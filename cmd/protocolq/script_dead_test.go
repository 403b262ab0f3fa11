// Dead letters in scripts: waiting for them and for durable replies.

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"protocolq/cmd/protocolq/cli"
	"protocolq/messages"
)

// scriptLetters is `letters N`: waits until N dead letters are there.
func scriptLetters(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	stream := scriptOpenStream(ts, "PROTOCOL_DEAD")
	have := uint64(0)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		info, err := stream.Info(context.Background())
		ts.Check(err)
		if have = info.State.Msgs; have == want {
			return
		}
	}
	ts.Fatalf("%d dead letters, want %d", have, want)
}

// scriptReply is `reply SUBJECT ID OUTCOME`: waits for that durable reply and prints it as JSON.
func scriptReply(ts *testscript.TestScript, _ bool, args []string) {
	stream := scriptOpenStream(ts, "PROTOCOL_REPLIES")
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		m, err := stream.GetLastMsgForSubject(context.Background(), args[0])
		if err != nil {
			continue
		}
		r, _, err := messages.DecodeResult(m.Data, m.Header.Get(messages.HeaderContentType))
		ts.Check(err)
		if r.ID == args[1] && string(r.Outcome) == args[2] {
			ts.Check(cli.PrintJSON(ts.Stdout(), r))
			return
		}
	}
	ts.Fatalf("no reply %s to %s on %s", args[2], args[1], args[0])
}

func scriptOpenStream(ts *testscript.TestScript, name string) jetstream.Stream {
	js, err := jetstream.New(scriptConnect(ts))
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, name)
	ts.Check(err)
	return stream
}
