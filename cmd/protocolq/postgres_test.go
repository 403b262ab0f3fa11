//go:build unix

// A PostgreSQL for a test: a process on this machine's loopback that requires a password.

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"protocolq/cmd/protocolq/cli/clitest"
)

// postgres is a running server.
type postgres struct {
	url, pass string // for a client, and its password as a line of PGPASSFILE
	bin       string
	as        *syscall.Credential
}

// postgresPrograms finds the folder with initdb and postgres.
func postgresPrograms(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	for _, path := range found {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(real)
		}
	}
	t.Fatal("no PostgreSQL: install its programs (initdb, postgres)")
	return ""
}

// command returns the command that runs a program of PostgreSQL, which refuses to run as root.
func (p *postgres) command(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.bin, name), args...)
	c.Dir, c.Env = dir, []string{"PATH=" + p.bin, "LC_ALL=C", "TZ=UTC"}
	if p.as != nil {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	}
	return c
}

// startPostgres makes a cluster with one role and one database, and starts it.
func startPostgres(t *testing.T, role, database string) *postgres {
	t.Helper()
	p := &postgres{bin: postgresPrograms(t)}
	dir, err := os.MkdirTemp("", "pq-pg-") //nolint:usetesting // the user of the server could not get into the test's own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		u, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if out, err := p.command(dir, "initdb", "-D", data, "-U", role, "-A", "scram-sha-256", "--pwfile", "password", "-N", "--locale=C", "-E", "UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	single := p.command(dir, "postgres", "--single", "-D", data, "postgres")
	single.Stdin = strings.NewReader("CREATE DATABASE " + database + ";\n")
	if out, err := single.CombinedOutput(); err != nil {
		t.Fatalf("make the database: %v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	var said clitest.Buffer
	server := p.command(dir, "postgres", "-D", data, "-k", dir, "-h", "127.0.0.1", "-p", strconv.Itoa(port))
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(syscall.SIGQUIT); _ = server.Wait() })
	clitest.Eventually(t, "PostgreSQL", func() bool { return strings.Contains(said.String(), "ready to accept connections") })
	p.url = fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s", role, port, database)
	p.pass = fmt.Sprintf("127.0.0.1:%d:%s:%s:secret\n", port, database, role)
	return p
}
