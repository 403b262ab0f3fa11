//go:build unix

// The test binary as a recorder in its own process, which tests kill.

package database_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/messages"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// child is a recorder that dies at step, in one of its first writes.
func (d *desk) child(t *testing.T, url, step string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^$")
	cmd.Env = append(os.Environ(), childVariable+"=1", "CHILD_NATS="+d.url, "CHILD_DATABASE="+url, "CHILD_STEP="+step, fmt.Sprint("CHILD_WRITES=", 1+rand.IntN(4)))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := childRecorder(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	endPooler()
	if shared.cluster != nil {
		shared.cluster.remove()
	}
	os.Exit(code)
}

// killer is a database that kills its process at a step.
type killer struct {
	*database.DB
	step string
	left int
}

func (k *killer) Write(ctx context.Context, b querylog.Batch) (querylog.Written, error) {
	k.left--
	die := func(step string) {
		if k.left == 0 && k.step == step {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	die("before write")
	if k.left == 0 && k.step == "in write" {
		go func() {
			<-time.After(time.Duration(rand.IntN(8000)) * time.Microsecond)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}()
	}
	w, err := k.DB.Write(ctx, b)
	die("after write")
	if k.left == 0 && k.step == "after acks" {
		go func() { <-time.After(2 * time.Millisecond); _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }()
	}
	return w, err
}

const childVariable = "PROTOCOLQ_TEST_CHILD"

// childRecorder is the child process: it records until nothing came for a second, or until it is
// killed.
func childRecorder() error {
	ctx := context.Background()
	nc, err := nats.Connect(os.Getenv("CHILD_NATS"))
	if err != nil {
		return err
	}
	names, err := messages.NewNames("protocol")
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, database.Options{URL: os.Getenv("CHILD_DATABASE")})
	if err != nil {
		return err
	}
	if os.Getenv("CHILD_STEP") == stepMeasure {
		return childMeasured(nc, names, db)
	}
	writes, err := strconv.Atoi(os.Getenv("CHILD_WRITES"))
	if err != nil {
		return err
	}
	r, err := querylog.New(querylog.Options{NATS: nc, Names: names, Database: &killer{DB: db, step: os.Getenv("CHILD_STEP"), left: writes}, Rows: 60})
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return errors.Join(r.Run(within), db.Close())
}
