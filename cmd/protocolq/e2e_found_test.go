//go:build unix

// The commands that a person types find a running dev by themselves, and no other dev. The test
// runs the real program.

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"protocolq/cmd/protocolq/cli"
)

func TestDevIsFound(t *testing.T) {
	t.Parallel()
	home := "XDG_CONFIG_HOME=" + t.TempDir()
	free := []string{"-o", "json", "--nats-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--data", t.TempDir()}
	start := func() *process {
		p := launch(t, []string{home}, append([]string{"dev"}, free...)...)
		p.urls()
		return p
	}
	const using = "protocolq: using context dev, a running protocolq dev (pid "
	run := func(want int, says string, env []string, args ...string) {
		t.Helper()
		p := launch(t, append([]string{home}, env...), args...)
		if code := p.exit(); code != want || says != "" && strings.Count(p.err.String(), says) != 1 {
			t.Errorf("%v: exit code %d, want %d and once %q: %s", args, code, want, says, p.err)
		}
		if says != using && strings.Contains(p.err.String(), using) {
			t.Errorf("%v asks a dev: %s", args, p.err)
		}
	}

	p := start()
	run(cli.ExitOK, using, nil, "query", "--email", "signed+found@example.com")
	run(cli.ExitOK, using, nil, "query", "--email", "signed+found@example.com", "-o", "json")
	run(cli.ExitOK, using, nil, "submit", "--email", "signed+found@example.com")
	run(cli.ExitOK, using, nil, "call", "--email", "signed+found@example.com")
	run(cli.ExitOK, using, nil, "log", "list")
	run(cli.ExitOK, using, nil, "log", "stats")
	run(cli.ExitOK, using, nil, "dead", "list")
	run(cli.ExitOK, using, nil, "partner", "list")
	run(cli.ExitOK, using, nil, "intake")
	run(cli.ExitOK, using, nil, "forget", "--email", "signed+found@example.com", "--dry-run")
	run(cli.ExitOK, using, nil, "top", "--once", "--every", "200ms")
	run(cli.ExitOK, using, nil, "doctor")
	run(cli.ExitOK, using, nil, "bench", "--rate", "10", "--for", "200ms", "--warm", "0s")
	run(cli.ExitOK, "", nil, "query", "--context", "dev", "--email", "signed+found@example.com")

	// These mean another system, or none. They never ask the dev.
	nobody := "nats://127.0.0.1:1"
	run(cli.ExitNoAnswer, "connect to NATS at "+nobody, []string{"PROTOCOLQ_NATS=" + nobody}, "query", "--email", "signed@example.com")
	run(cli.ExitUsage, "database: is needed", []string{"PROTOCOLQ_NATS=" + nobody}, "log", "list")
	run(cli.ExitNoAnswer, "connect to NATS at "+nobody, nil, "dead", "list", "--nats", nobody)
	run(cli.ExitUsage, "database: is needed", nil, "recorder")
	run(cli.ExitUsage, "partner: ", nil, "worker")
	run(cli.ExitUsage, "database: is needed", nil, "log", "list", "--context", "")

	// What a killed dev leaves behind is noticed, and the next dev replaces it.
	p.signal(syscall.SIGKILL)
	p.exit()
	const left = "it was left by a protocolq dev that runs no more (pid "
	run(cli.ExitUsage, left, nil, "log", "list")
	run(cli.ExitUsage, left, nil, "query", "--context", "dev", "--email", "signed@example.com")
	p = start()
	run(cli.ExitOK, using, nil, "log", "list")
	p.stop()
	run(cli.ExitUsage, "context dev (--context): there is no context of this name", nil, "query", "--context", "dev", "--email", "signed@example.com")
	run(cli.ExitUsage, "database: is needed", nil, "log", "list")
	if files, err := filepath.Glob(filepath.Join(strings.TrimPrefix(home, "XDG_CONFIG_HOME="), "protocolq", "context", "*")); err != nil || len(files) > 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}
