// Connections: a missing server is waited for, logged, and found when it comes.

package natsconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/settings"
	"protocolq/worker/natstest"
)

func TestReconnectDelayGrows(t *testing.T) {
	for attempts, want := range map[int]time.Duration{1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 3: time.Second, 6: time.Second, 1000: time.Second} {
		for range 100 {
			if got := reconnectDelay(attempts); got < want/2 || got > want {
				t.Fatalf("after %d rounds the wait is %s, want %s to %s", attempts, got, want/2, want)
			}
		}
	}
}

// lines hands each log line to the test.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func TestRefusedCredentialsAreTriedAgain(t *testing.T) {
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: "other"})
	told := make(lines, 100)
	nc, err := Connect(Options{Servers: []string{ns.ClientURL()}, Name: "test", Wait: true, Logger: slog.New(slog.NewTextHandler(told, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	enough := time.After(2 * time.Minute)
	loud := false
	for refused := 0; refused < 3 || !loud; { // the library by itself would close after the second
		select {
		case line := <-told:
			if strings.Contains(line, "Authorization Violation") {
				refused++
			}
			loud = loud || strings.Contains(line, "level=ERROR") && strings.Contains(line, "nats-creds says who this is")
		case <-enough:
			t.Fatal("not told three times, and as an error, that the server refuses")
		}
	}
	if nc.IsClosed() {
		t.Error("given up")
	}
}

// Each subject that is refused is named, however many there are.
func TestRefusedSubjectsAreNamed(t *testing.T) {
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoAuthUser: "u", Users: []*server.User{{Username: "u",
		Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"refused.>"}}}}}})
	told := make(lines, 100)
	nc, err := Connect(Options{Servers: []string{ns.ClientURL()}, Name: "test", Logger: cli.NewLogger(told, slog.LevelWarn, "json")})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	const many = 40
	for i := range many {
		if err := nc.Publish(fmt.Sprintf("refused.%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	enough := time.After(2 * time.Minute)
	for i := range many {
		select {
		case line := <-told:
			if want := fmt.Sprintf(`"subject":"refused.%d"`, i); !strings.Contains(line, want) {
				t.Errorf("no %s in %s", want, line)
			}
		case <-enough:
			t.Fatalf("%d of %d refused subjects are named", i, many)
		}
	}
}

// Each way of not being connected has its exit code and a hint that says what to do. The errors
// are the library's own.
func TestNotConnected(t *testing.T) {
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: "other"})
	for servers, want := range map[string]cli.Error{
		"nats://nobody.invalid:4222": {Code: cli.ExitNoAnswer, Hint: "is a NATS server running there"},
		"nats://127.0.0.1:1":         {Code: cli.ExitNoAnswer, Hint: "is a NATS server running there"},
		ns.ClientURL():               {Code: cli.ExitOther, Hint: "the server does not know this user"},
	} {
		_, err := Connect(Options{Servers: []string{servers}})
		end, ok := errors.AsType[*cli.Error](noServer(err))
		if !ok || end.Code != want.Code || !strings.HasPrefix(end.Hint, want.Hint) {
			t.Errorf("%s: %v, want code %d and the hint %q", servers, end, want.Code, want.Hint)
		}
	}
	if isNoServer(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}) {
		t.Error("a server that wants a certificate was taken for none")
	}
}

// A question that the server forbids is reported as forbidden, not as a timeout. One that is
// only left unanswered is not.
func TestNotAllowed(t *testing.T) {
	deny := &server.SubjectPermission{Deny: []string{"secret", "secret.>"}}
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{Publish: deny, Subscribe: deny}}}})
	nc, err := Connect(Options{Servers: []string{"nats://u:p@" + ns.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ask := func(subject string) error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := nc.RequestWithContext(ctx, subject, nil)
		return err
	}
	if _, err := nc.Subscribe("silent", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	if err := Forbidden(nc, ask("silent")); err != nil {
		t.Errorf("no answer was told as %v", err)
	}
	err = Forbidden(nc, ask("secret"))
	if end, ok := errors.AsType[*cli.Error](err); !ok || end.Code != cli.ExitOther || end.Hint == "" || !strings.Contains(err.Error(), `Publish to "secret"`) {
		t.Errorf("a forbidden question was told as %v", err)
	}
	begun := time.Now()
	ctx, stop := WhileAllowed(t.Context(), nc)
	defer stop()
	if _, err = nc.RequestWithContext(ctx, "secret.too", nil); Forbidden(nc, err) == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("who asks what is forbidden waited %v, and was told %v", time.Since(begun), err)
	}
}

// An outage of the servers is logged at once, as an error when it lasts, and then every half
// minute, however often they are tried and by however many connections. Nothing else logs it.
func TestAwayIsLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &clitest.Buffer{}
		logger := slog.New(slog.NewTextHandler(log, nil))
		var both [2]nats.Options
		away := NewAwayLog(logger)
		for i, name := range []string{"main", "replies"} {
			for _, set := range (Options{Name: name, Logger: logger, Away: away}).events() {
				if err := set(&both[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		hangs := Options{Name: "main", Logger: logger, Away: away} // the server is there and says nothing
		others := Connected(logger).With("member", "m").WithGroup("g")
		lasts := func(long time.Duration, warnings, errs int) {
			t.Helper()
			before := log.String()
			for _, o := range both {
				o.DisconnectedErrCB(nil, io.EOF)
			}
			for range long / time.Second {
				for _, o := range both {
					o.ReconnectErrCB(nil, errors.New("refused"))
				}
				hangs.sayRefused(os.ErrDeadlineExceeded)
				others.Warn("not read", "err", fmt.Errorf("read: %w", nats.ErrReconnectBufExceeded))
				time.Sleep(time.Second)
			}
			for _, o := range both {
				o.ReconnectedCB(nil)
			}
			got := log.String()[len(before):]
			if w, e := strings.Count(got, "level=WARN"), strings.Count(got, "level=ERROR"); w != warnings || e != errs {
				t.Errorf("%v away: %d warnings and %d errors, want %d and %d:\n%s", long, w, e, warnings, errs, got)
			}
		}
		lasts(9*time.Second, 1, 0)
		lasts(60*time.Second, 2, 1)
		lasts(120*time.Second, 4, 1)
		if others.Warn("not read", "err", io.EOF, "other", 1); !strings.Contains(log.String(), "msg=\"not read\" member=m g.err=EOF") {
			t.Errorf("not logged:\n%s", log)
		}
	})
}

func TestConnectWaitsForAServer(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, port := free.Addr().String(), free.Addr().(*net.TCPAddr).Port
	free.Close()
	log := &clitest.Buffer{}
	servers := []string{"nats://" + address}

	if _, err := Connect(Options{Servers: servers}); err == nil || !isNoServer(err) {
		t.Errorf("without Wait: error %v, want that no server is there", err)
	}
	nc, err := Connect(Options{Servers: servers, Name: "test", Wait: true, Inbox: "_INBOX_wk", Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish("a", nil); err == nil {
		t.Error("published into nothing without an error")
	}
	up := nc.StatusChanged(nats.CONNECTED)
	natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: port})
	select {
	case <-up:
	case <-time.After(2 * time.Minute):
		t.Fatal("not connected in 20 s")
	}
	if !strings.HasPrefix(nc.NewRespInbox(), "_INBOX_wk.") {
		t.Errorf("inbox is %s", nc.NewRespInbox())
	}
	if got := log.String(); !strings.Contains(got, "nats not there yet") {
		t.Errorf("not told that the server is missing:\n%s", got)
	}
}

// TestSeedFromAPipe: a lost connection comes back, even with a seed that can be read only once.
func TestSeedFromAPipe(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err1 := pair.Seed()
	user, err2 := pair.PublicKey()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	ns := natstest.Serve(t, server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Nkeys: []*server.NkeyUser{{Nkey: user}}})
	c := &settings.Config{NATSCreds: clitest.Pipe(t, string(seed)+"\n")}
	if err := c.CheckCreds(c.NATSCreds); err != nil {
		t.Fatal(err)
	}
	nc, err := Connect(Options{Servers: []string{ns.ClientURL()}, Creds: c.Login(c.NATSCreds), Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	clitest.Eventually(t, "connected", nc.IsConnected)
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	clitest.Eventually(t, "connected again", func() bool { return nc.IsConnected() && nc.Stats().Reconnects > 0 })
}
