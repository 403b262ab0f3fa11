//go:build unix

// End to end: the real program as processes of its own, a NATS server over sockets, and the
// practice gateway's call log as the only evidence of what was asked.

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/cmd/protocolq/settings"
	"protocolq/gateway/simulator"
	"protocolq/messages"
)

// process is the program, run as a user would run it. At the end of the test it is killed, and
// its output is shown if the test failed.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	out   *clitest.Buffer
	err   *clitest.Buffer
	ended chan struct{} // closed when it has ended
}

// launch starts the program with args, in an environment that holds none of its settings
// except env.
func launch(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	return launchProgram(t, "protocolq", env, args...)
}

// launchProgram does so with another build of the program.
func launchProgram(t testing.TB, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), out: &clitest.Buffer{}, err: &clitest.Buffer{}, ended: make(chan struct{})}
	home := t.TempDir()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = home, p.out, p.err
	// Under the race detector a process would otherwise sleep for a second at its end.
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "GORACE=atexit_sleep_ms=0"}, env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", args[0], err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if said := p.err.String(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic:") || strings.Contains(said, "panic in a run") {
			t.Errorf("%s raced or panicked", args[0])
		}
		if t.Failed() {
			t.Logf("--- protocolq %s (pid %d)\n%s%s", strings.Join(args, " "), p.cmd.Process.Pid, p.out, lastLines(p.err.String(), 60))
		}
	})
	return p
}

func lastLines(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(5 * time.Minute):
		p.t.Fatalf("%v has not ended within 5 minutes", p.cmd.Args)
	}
	return p.cmd.ProcessState.ExitCode()
}

// alive is false once the process has ended.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// urls reads the JSON object that a long-running command prints first.
func (p *process) urls() map[string]string {
	p.t.Helper()
	var line string
	clitest.Eventually(p.t, "the line of URLs", func() bool {
		var whole bool
		line, _, whole = strings.Cut(p.out.String(), "\n")
		return whole || !p.alive()
	})
	var urls map[string]string
	if err := json.Unmarshal([]byte(line), &urls); err != nil {
		p.t.Fatalf("first line %q: %v", line, err)
	}
	return urls
}

// stand is what a fleet needs: a NATS server with its streams, and the practice gateway.
type stand struct {
	t            *testing.T
	nats         string
	gateway, log string // URLs of the practice gateway and of its call log
	page         string // URL of the console
	keys         string // directory of <partner>.key
	own          []string
}

// standOptions are what differs from the usual stand.
type standOptions struct {
	Simulator []string // more arguments of the practice gateway
	Provision []string // more arguments of provision
	Worker    []string // more arguments of every worker
	Program   string   // another build of the program, which makes the streams
}

func newStand(t *testing.T, o standOptions) *stand {
	t.Helper()
	server, err := localstack.StartNATS(localstack.NATSOptions{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s := &stand{t: t, nats: server.URL(), keys: t.TempDir(), own: o.Worker}
	provision := launchProgram(t, cmp.Or(o.Program, "protocolq"), nil, append([]string{"provision", "--nats", s.nats}, o.Provision...)...)
	s.practice(o.Simulator...)
	if code := provision.exit(); code != cli.ExitOK {
		t.Fatalf("provision: exit code %d", code)
	}
	return s
}

// in is the stand for a subtest: its connections and failures are the subtest's.
func (s *stand) in(t *testing.T) *stand {
	sub := *s
	sub.t = t
	return &sub
}

// practice starts the practice gateway.
func (s *stand) practice(args ...string) *process {
	s.t.Helper()
	p := launch(s.t, nil, append([]string{"simulator", "--listen", "127.0.0.1:0", "-o", "json", "--write-keys", s.keys}, args...)...)
	urls := p.urls()
	s.gateway, s.log = urls["gateway"], urls["gateway_log"]
	return p
}

// begin starts a worker and does not wait for it.
func (s *stand) begin(args ...string) *process {
	s.t.Helper()
	return s.beginProgram("protocolq", args...)
}

// beginProgram does so with another build of the program.
func (s *stand) beginProgram(program string, args ...string) *process {
	s.t.Helper()
	partner := settings.PracticeSet[0].ID
	all := append([]string{"worker", "--nats", s.nats, "--gateway-url", s.gateway, "--unsafe-gateway",
		"--partner", partner, "--key-file", filepath.Join(s.keys, partner+".key")}, s.own...)
	return launchProgram(s.t, program, nil, append(all, args...)...)
}

// ready waits until a worker's doors are open.
func (p *process) ready() *process {
	p.t.Helper()
	clitest.Eventually(p.t, "worker ready", func() bool {
		return strings.Contains(p.err.String(), `"worker ready"`) || !p.alive()
	})
	if !p.alive() {
		p.t.Fatal("the worker ended before it was ready")
	}
	return p
}

// workers starts n workers and waits until all are ready.
func (s *stand) workers(n int, args ...string) []*process {
	s.t.Helper()
	list := make([]*process, n)
	for i := range list {
		list[i] = s.begin(args...)
	}
	for _, p := range list {
		p.ready()
	}
	return list
}

func (s *stand) connect(options ...nats.Option) *nats.Conn {
	s.t.Helper()
	nc, err := nats.Connect(s.nats, append(options, nats.Name("e2e asker"))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// messages counts what a stream holds.
func (s *stand) messages(kind messages.Kind) uint64 { return s.state(kind).Msgs }

// state is what a stream holds.
func (s *stand) state(kind messages.Kind) jetstream.StreamState {
	s.t.Helper()
	nc := s.connect()
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		s.t.Fatal(err)
	}
	stream, err := js.Stream(s.t.Context(), names.Stream(kind))
	if err != nil {
		s.t.Fatal(err)
	}
	return stream.CachedInfo().State
}

// fetch reads a page of the call log.
func (s *stand) fetch(page string) []byte {
	s.t.Helper()
	answer, err := http.Get(s.log + page)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s, %v", page, answer.Status, err)
	}
	return body
}

// stats are the call log's sums.
func (s *stand) stats() (sums simulator.Stats) {
	s.t.Helper()
	if err := json.Unmarshal(s.fetch("/stats"), &sums); err != nil {
		s.t.Fatal(err)
	}
	return sums
}

// calls are all calls that have ended.
func (s *stand) calls() (list []simulator.Call) {
	s.t.Helper()
	lines := json.NewDecoder(bytes.NewReader(s.fetch("/calls")))
	for {
		var c simulator.Call
		switch err := lines.Decode(&c); err {
		case nil:
			list = append(list, c)
		case io.EOF:
			return list
		default:
			s.t.Fatal(err)
		}
	}
}

// patient are flags of a worker on a machine so busy that a call takes seconds: no call is
// given up, and no run is taken over. An asker waits as long as an answer is remembered, and no
// longer, as asks would then be stored one by one.
var patient = []string{"--call-timeout", "50s", "--lease", "1m", "--ask-patience", "1m"}

// settled waits until no call is in flight, then returns the sums.
func (s *stand) settled() simulator.Stats {
	s.t.Helper()
	clitest.Eventually(s.t, "no call in flight", func() bool { return s.stats().InFlight == 0 })
	return s.stats()
}

// askedOnce fails if a key was asked again after its first conclusive answer, or twice at once.
func (s *stand) askedOnce() simulator.Stats {
	s.t.Helper()
	sums := s.settled()
	if sums.Doubles != 0 || sums.AfterConclusive != 0 || sums.Overlapping != 0 || sums.Untracked != 0 || sums.Dropped != 0 {
		s.t.Errorf("asked more than once: %d doubles, %d after a conclusive answer, %d overlapping (untracked %d, dropped %d)",
			sums.Doubles, sums.AfterConclusive, sums.Overlapping, sums.Untracked, sums.Dropped)
	}
	return sums
}

// stop sends SIGTERM and expects exit code 0. It returns the time until the end.
func (p *process) stop() time.Duration {
	p.t.Helper()
	began := time.Now()
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != cli.ExitOK {
		p.t.Errorf("%s ended with %d after SIGTERM", p.cmd.Args[1], code)
	}
	return time.Since(began)
}

// person returns an account that plays part. The same n makes the same account.
func person(part string, n any) string { return fmt.Sprintf("%s+%v@example.com", part, n) }
