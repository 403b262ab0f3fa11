package natsconn

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/worker/natstest"
)

// denying are the settings of a server whose user may not subscribe to some subjects.
func denying(subjects ...string) server.Options {
	return server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, NoAuthUser: "u",
		Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{
			Subscribe: &server.SubjectPermission{Allow: []string{">"}, Deny: subjects}}}}}
}

// A right that is taken away and given back is had again: the server removes the subscription, and
// does not set it up again by itself.
func TestRightsComeBack(t *testing.T) {
	for _, denied := range []string{"asked", "_INBOX_t.>"} {
		t.Run(denied, func(t *testing.T) {
			ns := natstest.Serve(t, denying())
			nc, err := Connect(Options{Servers: []string{ns.ClientURL()}, Wait: true, Inbox: "_INBOX_t", rights: 20 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(nc.Close)
			clitest.Eventually(t, "a connection", nc.IsConnected)
			connected := time.Now()
			if _, err := nc.QueueSubscribe("asked", "q", func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
				t.Fatal(err)
			}
			answered := func() bool {
				_, err := nc.Request("asked", nil, 50*time.Millisecond)
				return err == nil
			}
			clitest.Eventually(t, "an answer", func() bool { return answered() && time.Since(connected) > 40*time.Millisecond })
			reload := func(subjects ...string) {
				now := denying(subjects...)
				if err := ns.ReloadOptions(&now); err != nil {
					t.Fatal(err)
				}
			}
			reload(denied)
			clitest.Eventually(t, "no answer", func() bool { return !answered() })
			clitest.Eventually(t, "the connection made anew", func() bool { return nc.Stats().Reconnects >= 2 })
			reload()
			clitest.Eventually(t, "an answer again", answered)
			clitest.Eventually(t, "rest", func() bool {
				before := nc.Stats().Reconnects
				<-time.After(300 * time.Millisecond)
				return nc.Stats().Reconnects == before && answered()
			})
		})
	}
}

// Only a subscription's right that was had is waited for.
func TestRightsThatAreWaitedFor(t *testing.T) {
	of := func(what string) error {
		return fmt.Errorf("%w: Permissions Violation for %s to \"asked\"", nats.ErrPermissionViolation, what)
	}
	for name, c := range map[string]struct {
		err     error
		up      time.Duration // since the connection was made
		again   bool          // it was made anew for a right
		waiting bool
	}{
		"taken away":             {of("Subscription"), time.Hour, false, true},
		"missing from the start": {of("Subscription"), time.Second, false, false},
		"still missing":          {of("Subscription"), time.Second, true, true},
		"of a publication":       {of("Publish"), time.Hour, false, false},
		"not of rights":          {nats.ErrSlowConsumer, time.Hour, false, false},
	} {
		r := &rights{first: time.Minute, log: slog.New(slog.DiscardHandler), connected: time.Now().Add(-c.up), taken: c.again}
		r.refused(nil, c.err)
		if (r.waiting != nil) != c.waiting {
			t.Errorf("%s: waits: %v", name, !c.waiting)
		}
		if r.waiting != nil {
			r.waiting.Stop()
		}
	}
}

// The waits double, up to five minutes, and begin anew once nothing is refused any more.
func TestRightsWaits(t *testing.T) {
	r := &rights{first: firstRightsWait, log: slog.New(slog.DiscardHandler), connected: time.Now().Add(-time.Hour)}
	var waits []time.Duration
	for range 7 {
		r.refused(nil, fmt.Errorf("%w: Permissions Violation for Subscription to \"asked\"", nats.ErrPermissionViolation))
		r.waiting.Stop()
		waits = append(waits, r.wait)
		r.settle() // one was refused since: it has no effect
		r.waiting, r.taken = nil, true
	}
	want := []time.Duration{15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
	if r.settle(); r.taken || r.wait != 0 {
		t.Errorf("settled: %v, %v", r.taken, r.wait)
	}
}
