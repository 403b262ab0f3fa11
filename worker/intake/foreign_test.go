// Messages in the stream of what is submitted that no worker of this version can read.

package intake_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"protocolq/messages"
	"protocolq/worker/intake"
)

// A query of a later version is left to workers of that version. One that has lain there for
// minutes is refused.
func TestLaterVersion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.start()
	f.submit("protocol.submit."+partner+".shop", `{"v":2,"user_email":"a@b.cn","priority":"high"}`)
	f.within("it comes again", func() bool { return f.doors.Stats().Redelivered >= 1 })
	if s := f.doors.Stats(); s.Refused != 0 || f.stored(f.submitted()) != 1 {
		t.Errorf("%+v", s)
	}
}

// An unreadable message without room among the dead letters is logged, except its body, and makes
// way; a query waits.
func TestNoRoomForWhatNobodyCanRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.dead(1)
	var said locked
	f.start(func(o *intake.Options) { o.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
	f.submit("protocol.submit", "first of zhang@example.com")
	f.within("its letter is written", func() bool { return f.stored(f.names.Stream(messages.Dead)) == 1 })
	f.submit("protocol.submit", "garbage of zhang@example.com")
	f.submit("protocol.submit", `{"id":"astray","user_email":"a@b.cn","reply_to":"protocol.followed.x"}`)
	f.within("the garbage is gone", func() bool { return f.doors.Stats().Lost == 1 && f.stored(f.submitted()) == 1 })
	for _, want := range []string{"level=ERROR msg=lost", "message.subject=protocol.dead.unreadable", "message.bytes=28", "message.sha256=", "message.Protocol-Token=2-"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("not said: %s", want)
		}
	}
	if strings.Contains(said.String(), "zhang") {
		t.Errorf("its body is said:\n%s", said.String())
	}
}

// locked is a log that several goroutines write.
type locked struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
