// What a fleet has, counted before and after a user tries to change it.

package natsconfig_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconfig"
	"protocolq/messages"
)

// witnessUser is in the fleet's own account and may do everything there.
const witnessUser = "WITNESS"

// witness counts what is there, and sees each message in the fleet's account that no stream keeps.
type witness struct {
	js jetstream.JetStream

	mu   sync.Mutex // guards seen
	seen map[string]int
}

func newWitness(t *testing.T, s *cluster, c natsconfig.Config) *witness {
	t.Helper()
	nc := s.connect(t, 2, userOf(t, c, witnessUser))
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(time.Minute)) // the servers were just sent very many messages
	if err != nil {
		t.Fatal(err)
	}
	return &witness{js: js, seen: map[string]int{}}
}

// watch counts messages by subject from now on.
func (w *witness) watch(t *testing.T, subjects ...string) {
	t.Helper()
	for _, subject := range subjects {
		_, err := w.js.Conn().Subscribe(subject, func(m *nats.Msg) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen[m.Subject]++
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
}

// take returns what was seen, and starts counting anew.
func (w *witness) take() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = map[string]int{}
	return seen
}

// inventory has a line for each thing in the fleet: a stream, a consumer, a subject's messages.
type inventory map[string]string

// count returns the inventory of the moment.
func (w *witness) count(t *testing.T) inventory {
	t.Helper()
	all := inventory{}
	for _, name := range w.names(t) {
		stream, err := w.js.Stream(t.Context(), name)
		var info *jetstream.StreamInfo
		if err == nil {
			info, err = stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			t.Fatalf("stream %s: %v", name, err)
		}
		all["stream "+name] = text(t, info.Config)
		for subject, n := range info.State.Subjects {
			all["messages "+name+" "+subject] = fmt.Sprint(n)
		}
		consumers := stream.ListConsumers(t.Context())
		for c := range consumers.Info() {
			all["consumer "+name+" "+c.Name] = text(t, c.Config)
			all["position "+name+" "+c.Name] = fmt.Sprint(c.AckFloor.Stream, c.Delivered.Stream, c.NumAckPending, c.PauseRemaining)
		}
		if err := consumers.Err(); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Fatalf("consumers of %s: %v", name, err)
		}
	}
	return all
}

func (w *witness) names(t *testing.T) (all []string) {
	t.Helper()
	streams := w.js.StreamNames(t.Context())
	for name := range streams.Name() {
		all = append(all, name)
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// settled counts until nothing changes any more, and returns that inventory.
func (w *witness) settled(t *testing.T) inventory {
	t.Helper()
	last := w.count(t)
	eventually(t, "a fleet at rest", func() bool {
		<-time.After(150 * time.Millisecond)
		next := w.count(t)
		same := maps.Equal(last, next)
		last = next
		return same
	})
	return last
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// changes lists what differs.
func (before inventory) changes(after inventory) (lines []string) {
	for what, was := range before {
		if is, there := after[what]; !there {
			lines = append(lines, what+" is gone")
		} else if is != was {
			lines = append(lines, fmt.Sprintf("%s was %s, is %s", what, was, is))
		}
	}
	for what := range after {
		if _, there := before[what]; !there {
			lines = append(lines, what+" is new")
		}
	}
	slices.Sort(lines)
	return lines
}

// shown adds the newest of the messages to each line about messages.
func (w *witness) shown(t *testing.T, lines []string) (all []string) {
	t.Helper()
	for _, line := range lines {
		if f := strings.Fields(line); f[0] == "messages" && f[1] != "-" {
			if stream, err := w.js.Stream(t.Context(), f[1]); err != nil {
				line += ": " + err.Error()
			} else if m, err := stream.GetLastMsgForSubject(t.Context(), f[2]); err != nil {
				line += ": " + err.Error()
			} else {
				line += fmt.Sprintf(": %d of %v, %v %.200q", m.Sequence, m.Time, m.Header, m.Data)
			}
		}
		all = append(all, line)
	}
	return all
}

// covered reports whether a pattern covers a subject.
func covered(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		if token == ">" {
			return len(s) > i
		}
		if i >= len(s) || token != "*" && token != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

// seed stores messages in each stream, so that there is something to lose.
func (w *witness) seed(t *testing.T, n messages.Names) {
	t.Helper()
	for _, subject := range []string{n.Journal() + "m1", n.Partner(partner, "halt"), n.Intake(), n.SubmitOf(partner, "deduction"), n.Submit(), n.Event(partner, messages.Signed),
		n.LogRun(), n.LogAsk(), n.Dead(messages.DeadPoison), n.ReplyOf("deduction"), n.ReplyOf("shop"), n.ReplyOf("refunds"), n.ReplyOf("refunds"), n.ReplyOf("refunds"),
		n.ReplyOf("console"), n.Watch(messages.WatchKept, "o1", "w1"), n.Watch(messages.WatchDue, "o1", "w1")} {
		if _, err := w.js.Publish(t.Context(), subject, []byte(`{"seq":1}`), jetstream.WithRetryAttempts(40)); err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
	}
}
