//go:build unix

// PostgreSQL behind a real pgbouncer, which lends a server's session for one transaction.

package database_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// pooler is the pgbouncer that the tests share.
var pooler struct {
	mu    sync.Mutex
	dir   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended; nil before the first start
}

var errNoPooler = errors.New("no pgbouncer: install it")

// pooledPlace makes a database for a test and returns its URL at the pooler. If there is none the
// test is skipped, and fails if CI is set.
func pooledPlace(t testing.TB) string {
	t.Helper()
	direct := postgresPlace(t)
	if err := needPooler(t); err != nil {
		if os.Getenv("CI") != "" || !errors.Is(err, errNoPooler) {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	return "postgres://anybody@" + u.Path + "?" + url.Values{"host": {pooler.dir}, "port": {strconv.Itoa(poolerPort)}}.Encode()
}

const poolerPort = 6432 // names its socket

// needPooler starts a pgbouncer if none runs. One that has ended is started again, and its last
// output is shown.
func needPooler(t testing.TB) error {
	pooler.mu.Lock()
	defer pooler.mu.Unlock()
	if pooler.ended == nil {
		return startPooler()
	}
	select {
	case <-pooler.ended:
		said, _ := os.ReadFile(filepath.Join(pooler.dir, "log"))
		t.Logf("pgbouncer ended (%v), and is started again:\n%s", pooler.cmd.ProcessState, said)
		return startPooler()
	default:
		return nil
	}
}

// startPooler starts pgbouncer with two server sessions for each database, in transaction mode.
func startPooler() error {
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			return errNoPooler
		}
	}
	base, err := sharedURL()
	if err != nil {
		return err
	}
	to, err := pgx.ParseConfig(base)
	if err != nil {
		return err
	}
	if pooler.dir, err = os.MkdirTemp("", "pq-pb-"); err != nil {
		return err
	}
	as, err := notRoot()
	if err != nil {
		return err
	}
	if as != nil {
		if err := os.Chown(pooler.dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	password := ""
	if to.Password != "" {
		password = " password='" + strings.ReplaceAll(to.Password, "'", "''") + "'"
	}
	ini := filepath.Join(pooler.dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=%d user=%s%s\n[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\nauth_type = any\n"+
		"unix_socket_dir = %s\nlisten_port = %d\nlogfile = %s\n", to.Host, to.Port, to.User, password, pooler.dir, poolerPort, filepath.Join(pooler.dir, "log"))
	if err := os.WriteFile(ini, []byte(text), 0o644); err != nil { // another user runs it; the folder is that user's
		return err
	}
	pooler.cmd = exec.Command(bin, "-q", ini)
	pooler.cmd.Dir = pooler.dir
	if as != nil {
		pooler.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}
	if err := pooler.cmd.Start(); err != nil {
		return err
	}
	pooler.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { _ = cmd.Wait(); close(ended) }(pooler.cmd, pooler.ended)
	return awaitPooler()
}

func awaitPooler() error {
	socket := filepath.Join(pooler.dir, fmt.Sprintf(".s.PGSQL.%d", poolerPort))
	for end := time.Now().Add(2 * time.Minute); ; <-time.After(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return nil
		} else if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(pooler.dir, "log"))
			return fmt.Errorf("pgbouncer does not listen: %w\n%s", err, log)
		}
	}
}

// endPooler is called when all tests have run.
func endPooler() {
	if pooler.ended != nil {
		_ = pooler.cmd.Process.Signal(syscall.SIGINT)
		<-pooler.ended
	}
	if pooler.dir != "" {
		_ = os.RemoveAll(pooler.dir)
	}
}

// Sessions are shared: readers and writers get the same ones, and must leave nothing in them.
func TestPooledSessions(t *testing.T) {
	place := pooledPlace(t)
	writers := []*database.DB{open(t, place), open(t, place)}
	reader, err := database.Open(t.Context(), database.Options{URL: place, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	var all sync.WaitGroup
	for i, db := range writers {
		all.Go(func() {
			for n := range 20 {
				b := querylog.Batch{Runs: []querylog.Run{aRun(100*i + n)}, Asks: []querylog.Ask{anAsk(100*i + n)}}
				if _, err := db.Write(t.Context(), b); err != nil && !errors.Is(err, querylog.ErrTryAgain) {
					t.Errorf("writer %d: %v", i, err)
				}
				if _, err := reader.List(t.Context(), database.Filter{}, database.Cursor{}, 10); err != nil {
					t.Errorf("reader: %v", err)
				}
			}
		})
	}
	all.Wait()
	other, err := sql.Open("pgx", place+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 4 {
		var commit, only string
		err := other.QueryRowContext(ctx, "SELECT current_setting('synchronous_commit'), current_setting('default_transaction_read_only')").Scan(&commit, &only)
		if err != nil || commit != "on" || only != "off" {
			t.Errorf("somebody else's session has synchronous_commit %q, default_transaction_read_only %q, %v", commit, only, err)
		}
	}
}

// A commit is on disk before it is reported, whatever the database's own default is.
func TestCommitsAreSynchronous(t *testing.T) {
	for _, kind := range []string{"postgres", "pooled"} {
		t.Run(kind, func(t *testing.T) {
			place := places[kind](t)
			open(t, place) // makes the tables
			admin, err := sql.Open("pgx", place+"&default_query_exec_mode=simple_protocol")
			if err != nil {
				t.Fatal(err)
			}
			defer admin.Close()
			for _, statement := range []string{
				"DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET synchronous_commit = off'; END $$",
				`CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					IF current_setting('synchronous_commit') = 'off' THEN RAISE 'it is off'; END IF; RETURN NEW; END $$`,
				"CREATE TRIGGER look BEFORE INSERT ON rejected FOR EACH ROW EXECUTE FUNCTION look()",
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
			} {
				if _, err := admin.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			db := open(t, place)
			eventually(t, "it is written", func() bool { // the first tries use up the sessions from before
				_, err := db.Write(t.Context(), querylog.Batch{Rejected: []querylog.Rejected{{At: began, Stream: 1, Subject: "s", Reason: "r"}}})
				if err != nil && strings.Contains(err.Error(), "it is off") {
					t.Fatal(err)
				}
				return err == nil
			})
		})
	}
}
