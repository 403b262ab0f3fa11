// A program that is asked twice to end does so at once, with 130.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSecondSignal drives the program as a process of its own: a request that never ends keeps the practice
// gateway's drain busy between the two signals.
func TestSecondSignal(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "protocolq", "simulator", "--listen", "127.0.0.1:0", "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var urls struct{ Gateway string }
	if err := json.Unmarshal(line, &urls); err != nil {
		t.Fatal(err)
	}
	gateway, err := url.Parse(urls.Gateway)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", gateway.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A request whose body never comes. Once it is asked for the body, the drain has to wait for it.
	if _, err := conn.Write([]byte("POST /gateway.do HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	for began := time.Now(); ; { // until the first signal has closed the address
		probe, err := net.Dial("tcp", gateway.Host)
		if err != nil {
			break
		}
		probe.Close()
		if time.Since(began) > 10*time.Second {
			t.Fatal("the first signal did nothing")
		}
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	err = cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != exitSignalled {
		t.Errorf("ended with %v, want exit code %d", err, exitSignalled)
	}
}
