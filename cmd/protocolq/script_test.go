// The command line's manual, executed: every script in testdata/script runs the program as a user
// would.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"

	"protocolq/cmd/protocolq/localstack"
	"protocolq/messages"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"protocolq": main})
}

// plain builds the program as it is shipped, and returns its folder. A script runs some twenty
// commands, each of which would take four times as long under the race detector. The tests that
// launch the program themselves use the detector.
func plain(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
		"-o", filepath.Join(dir, "protocolq"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does, so that what it compiled can be used again
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return dir
}

func TestScripts(t *testing.T) {
	t.Parallel()
	program := plain(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", program+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config")) // each script has a context of its own for its dev
			if err := keepKeys(e.WorkDir); err != nil {
				return err
			}
			e.Setenv("CONTROL", "\x1b[31m\u202e\r") // what a stranger may send
			e.Setenv("ZHI_GBK", "\xD6\xA7")         // 支 as a shell in GBK passes it: by chance also UTF-8, for U+05A7
			e.Setenv("ZHANG_GBK", "\xD5\xC5")       // 张 in GBK: not UTF-8
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":     scriptCode,
			"up":       scriptUp,
			"get":      scriptGet,
			"nats":     scriptNATS,
			"answer":   scriptAnswer,
			"silent":   scriptSilent,
			"stream":   scriptStream,
			"publish":  scriptPublish,
			"letters":  scriptLetters,
			"reply":    scriptReply,
			"lines":    scriptLines,
			"recorded": scriptRecorded,
		},
	})
}

// keepKeys makes the key files of a script private to their owner, as a user does. Scripts
// are unpacked with 0666.
func keepKeys(dir string) error {
	for _, ending := range []string{"*.key", "*.pem", "*.pub"} {
		paths, err := filepath.Glob(filepath.Join(dir, ending))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}
		}
	}
	return os.Chmod(dir, 0o755)
}

// scriptCode is `code N command args…`: runs a command that must exit with N.
func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptUp is `up command args…`: starts a long-running command, reads its first line, a JSON
// object, and sets a variable in capitals for each of its members. At the script's end the
// command gets SIGTERM, and must exit with 0.
func scriptUp(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: up command args…")
	}
	var path string
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, args[0])); err == nil {
			path = filepath.Join(dir, args[0])
			break
		}
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Stderr = ts.MkAbs("."), os.Stderr
	cmd.Env = []string{"HOME=" + ts.Getenv("HOME"), "XDG_CONFIG_HOME=" + ts.Getenv("XDG_CONFIG_HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("%s after SIGTERM: %v", args, err)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	ts.Check(err)
	var urls map[string]string
	ts.Check(json.Unmarshal(line, &urls))
	for name, url := range urls {
		ts.Setenv(strings.ToUpper(name), url)
	}
}

// scriptGet is `get URL`: prints the body on stdout.
func scriptGet(ts *testscript.TestScript, _ bool, args []string) {
	answer, err := http.Get(args[0])
	ts.Check(err)
	defer answer.Body.Close()
	_, err = io.Copy(ts.Stdout(), answer.Body)
	ts.Check(err)
}

// scriptNATS is `nats`: starts an embedded server for this script, and puts its URL into NATS.
func scriptNATS(ts *testscript.TestScript, _ bool, _ []string) {
	e, err := localstack.StartNATS(localstack.NATSOptions{})
	ts.Check(err)
	ts.Defer(e.Close)
	ts.Setenv("NATS", e.URL())
}

func scriptConnect(ts *testscript.TestScript) *nats.Conn {
	nc, err := nats.Connect(ts.Getenv("NATS"))
	ts.Check(err)
	ts.Defer(nc.Close)
	return nc
}

// scriptAnswer is `answer SUBJECT FILE`: plays a worker that answers each query on SUBJECT with the
// JSON result in FILE, with the id of the query in it.
func scriptAnswer(ts *testscript.TestScript, _ bool, args []string) {
	result, _, err := messages.DecodeResult([]byte(ts.ReadFile(args[1])), string(messages.JSON))
	ts.Check(err)
	nc := scriptConnect(ts)
	_, err = nc.Subscribe(args[0], func(m *nats.Msg) {
		q, encoding, err := messages.DecodeQuery(m.Data, m.Header.Get(messages.HeaderContentType))
		r := result
		if err != nil {
			r = messages.Result{V: messages.Version, Outcome: messages.Refused, Code: messages.BadRequest, Message: err.Error()}
			encoding = messages.JSON
		}
		r.ID = q.ID
		data, err := r.Encode(encoding)
		if err == nil {
			_ = m.Respond(data)
		}
	})
	ts.Check(err)
	ts.Check(nc.Flush())
}

// scriptSilent is `silent SUBJECT`: plays a worker that takes each query and never answers.
func scriptSilent(ts *testscript.TestScript, _ bool, args []string) {
	nc := scriptConnect(ts)
	_, err := nc.Subscribe(args[0], func(*nats.Msg) {})
	ts.Check(err)
	ts.Check(nc.Flush())
}

// scriptPublish is `publish SUBJECT BODY`: sends what a foreign client may send.
func scriptPublish(ts *testscript.TestScript, _ bool, args []string) {
	nc := scriptConnect(ts)
	ts.Check(nc.Publish(args[0], []byte(args[1])))
	ts.Check(nc.Flush())
}

// scriptStream is `stream NAME SUBJECT`: makes a stream that takes SUBJECT.
func scriptStream(ts *testscript.TestScript, _ bool, args []string) {
	js, err := jetstream.New(scriptConnect(ts))
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: args[0], Subjects: []string{args[1]}, MaxMsgs: 2, Discard: jetstream.DiscardNew})
	ts.Check(err)
}
