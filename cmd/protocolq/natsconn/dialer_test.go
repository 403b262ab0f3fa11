package natsconn

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// While a server accepts connections and ends them at once, each try's socket is closed before
// the next is opened.
func TestDialerClosesWhatATryLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	came := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).CloseWrite() // no INFO: the try fails after the dial
			came <- c
		}
	}()
	nc, err := Connect(Options{Servers: []string{l.Addr().String()}, Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	var before net.Conn
	for range 3 {
		c := <-came
		if before != nil {
			_ = before.SetReadDeadline(time.Now().Add(5 * time.Second))
			b := make([]byte, 1<<10)
			for err = nil; err == nil; {
				_, err = before.Read(b)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the socket of the try before is still open")
			}
		}
		before = c
	}
	if nc.Status() != nats.RECONNECTING {
		t.Errorf("status %v", nc.Status())
	}
}
