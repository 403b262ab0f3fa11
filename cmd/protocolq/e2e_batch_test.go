//go:build unix

// Files of questions, asked by the real program: killed and stopped at any time, and long.

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/cli/clitest"
	"protocolq/cmd/protocolq/localstack"
	"protocolq/messages"
)

// counter stands in for a worker. It answers after a delay, and counts the asks.
type counter struct {
	url   string
	asked atomic.Int64

	mu  sync.Mutex
	ids map[string]map[string]bool // the inboxes that asked each id: all tries of one ask have the same
}

func newCounter(t testing.TB, after time.Duration) *counter {
	t.Helper()
	server, err := localstack.StartNATS(localstack.NATSOptions{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c := &counter{url: server.URL(), ids: map[string]map[string]bool{}}
	_, err = nc.Subscribe("protocol.query", func(m *nats.Msg) {
		q, encoding, err := messages.DecodeQuery(m.Data, m.Header.Get(messages.HeaderContentType))
		if err != nil {
			t.Error(err)
			return
		}
		c.count(q.ID, m.Reply)
		answer, err := messages.Result{ID: q.ID, Outcome: messages.NotSigned, Code: "NO_SIGN_CUSTOMER", Run: rand22}.Encode(encoding)
		if err != nil {
			t.Error(err)
			return
		}
		if after == 0 {
			_ = m.Respond(answer)
			return
		}
		time.AfterFunc(after, func() { _ = m.Respond(answer) })
	})
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rand22 is as long as the name of a run.
const rand22 = "9RDLymxb1jbOGBpWh8uQvB"

func (c *counter) count(id, inbox string) {
	c.asked.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ids[id] == nil {
		c.ids[id] = map[string]bool{}
	}
	c.ids[id][inbox] = true
}

// known is how many ids have asked. The asks of a process that was killed may still come.
func (c *counter) known() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ids)
}

// twice lists the ids that more than one ask had.
func (c *counter) twice() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, inboxes := range c.ids {
		if len(inboxes) > 1 {
			ids = append(ids, id)
		}
	}
	return ids
}

// accountFile writes a file of n accounts.
func accountFile(t testing.TB, n int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("user_email\n")
	for i := range n {
		fmt.Fprintf(&text, "signed+%d@example.com\n", i)
	}
	path := filepath.Join(t.TempDir(), "accounts.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBatchKilled kills a batch four times, interrupts it twice, and then lets it end. No line
// is asked twice, and each is printed once. Only lines that were in flight at a kill have no
// answer.
func TestBatchKilled(t *testing.T) {
	t.Parallel()
	const lines, window = 700, 10
	c := newCounter(t, 20*time.Millisecond)
	file, state := accountFile(t, lines), filepath.Join(t.TempDir(), "state")
	begin := func(more ...string) *process {
		return launch(t, nil, append([]string{"query", "--nats", c.url, "--file", file, "--resume", state, "--window", fmt.Sprint(window), "-o", "jsonl"}, more...)...)
	}
	for i, by := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		p, before := begin(), c.asked.Load()
		clitest.Eventually(t, "some more lines asked", func() bool { return c.asked.Load() > before+int64(30+17*i) })
		p.signal(by)
		if code := p.exit(); by != syscall.SIGKILL && code != cli.ExitSignalled {
			t.Errorf("%v: exit code %d", by, code)
		}
	}
	p := begin()
	code := p.exit()
	if twice := c.twice(); len(twice) > 0 {
		t.Errorf("asked twice: %v", twice)
	}
	lost := unanswered(t, p.out.String(), lines)
	if n := c.known(); n < lines-lost { // a process may be killed after it recorded a line as asked and before it asked
		t.Errorf("%d of %d lines asked, %d without an answer", n, lines, lost)
	}
	if lost > 4*window || code == cli.ExitOK && lost > 0 || code == cli.ExitNoAnswer && lost == 0 {
		t.Errorf("%d lines without an answer, exit code %d", lost, code)
	}
	p = begin("--ask-again")
	if code := p.exit(); code != cli.ExitOK || unanswered(t, p.out.String(), lines) != 0 || len(c.twice()) > lost {
		t.Errorf("asked again: exit code %d, %d asked twice", code, len(c.twice()))
	}
}

// TestBatchAwaitKilled kills a batch that awaits durable replies, again and again. No line
// makes a second call, and in the end each is printed once with its answer. A reply to another
// program of the asker stays.
func TestBatchAwaitKilled(t *testing.T) {
	t.Parallel()
	const lines, window = 300, 10
	s := newStand(t, standOptions{Provision: []string{"--asker", "refunds"}, Simulator: []string{"--latency", "20ms"}})
	s.workers(1)
	if code := launch(t, nil, "submit", "--nats", s.nats, "--email", person("signed", "other"), "--asker", "refunds").exit(); code != cli.ExitOK {
		t.Fatalf("submit: exit code %d", code)
	}
	clitest.Eventually(t, "the reply to another program", func() bool { return s.messages(messages.Replies) == 1 })
	file, state := accountFile(t, lines), filepath.Join(t.TempDir(), "state")
	begin := func(more ...string) *process {
		return launch(t, nil, append([]string{"submit", "--nats", s.nats, "--file", file, "--resume", state, "--asker", "refunds", "--await", "--window", fmt.Sprint(window), "-o", "jsonl"}, more...)...)
	}
	for i, by := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL} {
		before := len(s.calls())
		p := begin()
		clitest.Eventually(t, "some more lines asked", func() bool { return len(s.calls()) > before+5+7*i })
		p.signal(by)
		p.exit()
	}
	p := begin("--timeout", "20s")
	code := p.exit()
	lost := unanswered(t, p.out.String(), lines)
	if lost > 3*window || code == cli.ExitOK && lost > 0 { // recorded as asked, and killed before it was asked
		t.Errorf("%d lines without an answer, exit code %d", lost, code)
	}
	if p = begin("--ask-again"); p.exit() != cli.ExitOK || unanswered(t, p.out.String(), lines) != 0 {
		t.Errorf("asked again: %s", p.err.String())
	}
	if n := len(s.calls()); n > lines+1 {
		t.Errorf("%d calls for %d lines and another", n, lines)
	}
	// A killed run has not acknowledged some replies. They stay for the next reader.
	if left := s.state(messages.Replies); left.FirstSeq != 1 || left.Msgs > 1+3*window {
		t.Errorf("%d replies left, the first is %d: another program's was taken", left.Msgs, left.FirstSeq)
	}
}

// unanswered counts the Results without an answer. It expects want Results in the order of
// their lines.
func unanswered(t *testing.T, out string, want int) (n int) {
	t.Helper()
	results := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(results) != want {
		t.Errorf("%d lines printed, want %d", len(results), want)
	}
	for i, line := range results {
		var r messages.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.HasSuffix(r.ID, fmt.Sprint("-", i+2)) {
			t.Fatalf("line %d: %s, %v", i+2, line, err)
		}
		if r.Outcome == messages.Unknown {
			n++
		}
	}
	return n
}

// BenchmarkBatch asks 100,000 lines with --resume, in each output format, within 64 MB (make
// batch).
func BenchmarkBatch(b *testing.B) {
	const lines, most = 100_000, 64 << 20
	c, file := newCounter(b, 0), accountFile(b, lines)
	for _, out := range []string{"jsonl", "csv", "text"} {
		b.Run(out, func(b *testing.B) {
			for b.Loop() {
				state := filepath.Join(b.TempDir(), "state")
				for _, run := range []string{"first", "resumed"} {
					began := time.Now()
					printed, used := peak(b, "query", "--nats", c.url, "--file", file, "--resume", state, "-o", out)
					b.ReportMetric(float64(used)/1e6, run+"-MB")
					b.ReportMetric(lines/time.Since(began).Seconds(), run+"-lines/s")
					if printed < lines || used > most {
						b.Errorf("%s: %d lines, %d bytes in memory, at most %d", run, printed, used, most)
					}
				}
			}
		})
	}
}

// peak runs the program to its end, and returns how many lines it printed and its peak memory.
// It reads that while the program runs, as the kernel's figure for an ended process includes
// its parent's memory.
func peak(b *testing.B, args ...string) (lines, bytes int) {
	b.Helper()
	out := filepath.Join(b.TempDir(), "out")
	file, err := os.Create(out)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command("protocolq", args...)
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for tick := time.Tick(20 * time.Millisecond); ; {
		select {
		case err := <-ended:
			printed, readErr := os.ReadFile(out)
			if err != nil || readErr != nil || bytes == 0 {
				b.Fatalf("%v: %v, %v, %d bytes", args, err, readErr, bytes)
			}
			return strings.Count(string(printed), "\n"), bytes
		case <-tick:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
				kilobytes, _ := strconv.Atoi(strings.Fields(rest)[0])
				bytes = max(bytes, kilobytes<<10)
			}
		}
	}
}
