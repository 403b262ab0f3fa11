// Connections: a server that is missing is waited for, told about, and found when it comes.
package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
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
	ns := natsWith(t, server.Options{Authorization: "other"})
	told := make(lines, 100)
	nc, err := connectNATS(natsOptions{Servers: []string{ns.ClientURL()}, Name: "test", Wait: true, Logger: slog.New(slog.NewTextHandler(told, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	enough := time.After(20 * time.Second)
	loud := false
	for refused := 0; refused < 3 || !loud; { // the library itself closes after the second
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

// Each way of not being connected has its exit code and says what to do, in the library's own errors.
func TestNotConnected(t *testing.T) {
	ns := natsWith(t, server.Options{Authorization: "other"})
	for servers, want := range map[string]exitError{
		"nats://nobody.invalid:4222": {Code: exitNoAnswer, Hint: "is a NATS server running there"},
		"nats://127.0.0.1:1":         {Code: exitNoAnswer, Hint: "is a NATS server running there"},
		ns.ClientURL():               {Code: exitOther, Hint: "the server does not know this user"},
	} {
		_, err := connectNATS(natsOptions{Servers: []string{servers}})
		end, ok := errors.AsType[*exitError](noServer(err))
		if !ok || end.Code != want.Code || !strings.HasPrefix(end.Hint, want.Hint) {
			t.Errorf("%s: %v, want code %d and the hint %q", servers, end, want.Code, want.Hint)
		}
	}
	if isNoServer(&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}) {
		t.Error("a server that wants a certificate was taken for none")
	}
}

// A question that the server forbids is told as such, not as a time that ran out; one that it only does not answer is not.
func TestNotAllowed(t *testing.T) {
	deny := &server.SubjectPermission{Deny: []string{"secret", "secret.>"}}
	ns := natsWith(t, server.Options{Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{Publish: deny, Subscribe: deny}}}})
	nc, err := connectNATS(natsOptions{Servers: []string{"nats://u:p@" + ns.Addr().String()}})
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
	if err := notAllowed(nc, ask("silent")); err != nil {
		t.Errorf("no answer was told as %v", err)
	}
	err = notAllowed(nc, ask("secret"))
	if end, ok := errors.AsType[*exitError](err); !ok || end.Code != exitOther || end.Hint == "" || !strings.Contains(err.Error(), `Publish to "secret"`) {
		t.Errorf("a forbidden question was told as %v", err)
	}
	bench := &benchAsker{nc: nc, answers: "secret.bench-"}
	if err := bench.listen(); err == nil || !strings.Contains(err.Error(), `Subscription to "secret.bench-*"`) {
		t.Errorf("a bench that may not hear its answers was told %v", err)
	}
}

// natsWith is a server of one test.
func natsWith(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
	ns, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(ns.Shutdown)
	return ns
}

// lockedBuffer is written by the connection's own goroutine and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestConnectWaitsForAServer(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	log := &lockedBuffer{}
	servers := []string{"nats://" + address}

	if _, err := connectNATS(natsOptions{Servers: servers}); err == nil || !isNoServer(err) {
		t.Errorf("without Wait: error %v, want that no server is there", err)
	}
	nc, err := connectNATS(natsOptions{Servers: servers, Name: "test", Wait: true, Inbox: "_INBOX_wk", Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish("a", nil); err == nil {
		t.Error("published into nothing without an error")
	}
	up := nc.StatusChanged(nats.CONNECTED)
	e, err := startEmbedded(embedOptions{Listen: address})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	select {
	case <-up:
	case <-time.After(20 * time.Second):
		t.Fatal("not connected in 20 s")
	}
	if !strings.HasPrefix(nc.NewRespInbox(), "_INBOX_wk.") {
		t.Errorf("inbox is %s", nc.NewRespInbox())
	}
	if got := log.String(); !strings.Contains(got, "nats not there yet") {
		t.Errorf("not told that the server is missing:\n%s", got)
	}
}
