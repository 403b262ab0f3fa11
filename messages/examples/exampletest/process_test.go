// A process runs, its output is read, it ends when asked to, and it can be killed.

package exampletest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"protocolq/messages/examples/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, program) }

// program prints its arguments and its first line, and waits for its end.
func program() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Println(os.Args[1:], line)
	<-asked
	fmt.Println("ends")
}

func TestProcess(t *testing.T) {
	for _, end := range []struct {
		by   func(*exampletest.Process)
		said bool
	}{{(*exampletest.Process).Stop, true}, {(*exampletest.Process).Kill, false}} {
		p := exampletest.Start(t, "hello\n", "a", "b")
		exampletest.Eventually(t, "its line", func() bool { return strings.Contains(p.Said(), "[a b] hello") })
		if end.by(p); strings.Contains(p.Said(), "ends") != end.said {
			t.Errorf("it said %q", p.Said())
		}
		p.Kill() // a second time does nothing
	}
}
