// The contract names the stream of each message, and how long it is kept.

package provision_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.yaml.in/yaml/v3"

	"protocolq/messages"
	"protocolq/worker/provision"
)

func TestContractSaysHowLong(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "messages", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Channels map[string]struct {
			Address string
			Stream  string        `yaml:"x-stream"`
			Kept    time.Duration `yaml:"x-kept-for"`
		}
	}
	if err := yaml.Unmarshal(data, &contract); err != nil {
		t.Fatal(err)
	}
	streams := provision.Streams(options(t, messages.DefaultPrefix))
	said := map[string]bool{}
	for name, c := range contract.Channels {
		subject := strings.NewReplacer("{", "", "}", "").Replace(c.Address)
		i := slices.IndexFunc(streams, func(s jetstream.StreamConfig) bool {
			return slices.ContainsFunc(s.Subjects, func(of string) bool { return covers(of, subject) })
		})
		switch {
		case i < 0 && c.Stream != "":
			t.Errorf("%s: no stream captures %s", name, subject)
		case i >= 0 && (c.Stream != streams[i].Name || c.Kept != streams[i].MaxAge):
			t.Errorf("%s: %q for %v, and it lies in %s for %v", name, c.Stream, c.Kept, streams[i].Name, streams[i].MaxAge)
		}
		said[c.Stream] = true
	}
	for _, kind := range []messages.Kind{messages.Submitted, messages.Replies, messages.Events, messages.Dead} {
		if stream := "PROTOCOL_" + string(kind); !said[stream] {
			t.Errorf("the contract names no channel of %s", stream)
		}
	}
}

// covers reports whether a stream's subject, perhaps with wildcards, covers another.
func covers(of, subject string) bool {
	head, rest := strings.CutSuffix(of, ">")
	if rest {
		return strings.HasPrefix(subject, head) && len(subject) > len(head)
	}
	a, b := strings.Split(of, "."), strings.Split(subject, ".")
	return len(a) == len(b) && slices.EqualFunc(a, b, func(x, y string) bool { return x == "*" || x == y })
}
