//go:build unix

// A real PostgreSQL for the tests: the one that PROTOCOLQ_TEST_POSTGRES names, or a cluster made
// for them if its programs are installed.

package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// cluster is a running server of the tests.
type cluster struct {
	dir, bin string
	as       *syscall.Credential // nil: the tests' own user
	settings []string
	mu       sync.Mutex // guards cmd
	cmd      *exec.Cmd
}

var errNoPostgres = errors.New("no PostgreSQL: set PROTOCOLQ_TEST_POSTGRES to a URL that may make databases, or install its programs (initdb, postgres)")

// programs finds the folder with initdb and postgres.
func programs() (string, error) {
	dirs := []string{}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin"} {
		found, err := filepath.Glob(pattern)
		if err == nil {
			dirs = append(dirs, found...)
		}
	}
	for _, dir := range dirs {
		_, noInit := os.Stat(filepath.Join(dir, "initdb"))
		_, noServer := os.Stat(filepath.Join(dir, "postgres"))
		if noInit == nil && noServer == nil {
			return dir, nil
		}
	}
	return "", errNoPostgres
}

// notRoot is the user that the server runs as: it refuses to be root.
func notRoot() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if err == nil && gerr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("no user to run PostgreSQL as")
}

// newCluster makes a cluster and starts it. The caller stops it.
func newCluster(settings ...string) (*cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	as, err := notRoot()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pq-pg-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, bin: bin, as: as, settings: settings}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	made := c.command("initdb", "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")
	if out, err := made.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w\n%s", err, out), os.RemoveAll(dir))
	}
	if err := c.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir, cmd.Env = c.dir, []string{"PATH=" + c.bin, "LC_ALL=C", "TZ=UTC"}
	if c.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	}
	return cmd
}

// start runs the server and waits until it answers.
func (c *cluster) start() error {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-D", filepath.Join(c.dir, "data"), "-k", c.dir, "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "shared_buffers=128MB"}
	for _, s := range c.settings {
		args = append(args, "-c", s)
	}
	cmd := c.command("postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	c.mu.Lock()
	c.cmd = cmd
	c.mu.Unlock()
	db, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for end := time.Now().Add(2 * time.Minute); ; <-time.After(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := db.PingContext(ctx)
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("does not answer: %w\n%s", err, text)
		}
	}
}

func (c *cluster) url(name string) string {
	return "postgres://postgres@/" + name + "?" + url.Values{"host": {c.dir}}.Encode()
}

// end signals the server and waits: SIGINT ends it in order, SIGQUIT like a crash.
func (c *cluster) end(s os.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil {
		_ = c.cmd.Process.Signal(s)
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}

func (c *cluster) remove() {
	c.end(syscall.SIGQUIT)
	_ = os.RemoveAll(c.dir)
}

// shared is the server that the tests share, each with a database of its own.
var shared struct {
	once    sync.Once
	url     string
	cluster *cluster
	err     error
	names   atomic.Int64
}

// sharedURL starts the shared server at its first use.
func sharedURL() (string, error) {
	shared.once.Do(func() {
		if shared.url = os.Getenv("PROTOCOLQ_TEST_POSTGRES"); shared.url != "" {
			return
		}
		shared.cluster, shared.err = newCluster("fsync=off", "max_connections=100")
		if shared.err == nil {
			shared.url = shared.cluster.url("postgres")
		}
	})
	return shared.url, shared.err
}

// postgresPlace makes a database for a test. If there is no PostgreSQL the test is skipped, and
// fails if CI is set, so that the lack is noticed.
func postgresPlace(t testing.TB) string {
	t.Helper()
	base, err := sharedURL()
	if err != nil {
		if os.Getenv("CI") != "" || !errors.Is(err, errNoPostgres) {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	admin, err := sql.Open("pgx", base)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("protocolq_test_%d_%d", os.Getpid(), shared.names.Add(1))
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = admin.Close()
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	// A password may come only from the environment.
	if password, has := u.User.Password(); has {
		t.Setenv("PGPASSWORD", password)
		u.User = url.User(u.User.Username())
	}
	return u.String()
}
