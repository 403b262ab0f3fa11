// Streams of other programs on the subjects of questions.

package provision_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/provision"
)

// A stream on our question subjects responds in our place.
func TestForeignStreams(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	for name, subject := range map[string]string{"AUDIT": "protocol.query", "BACKUP": "protocol.member.*.ping", "HARMLESS": "other.one", "WIDE": "*.query.>"} {
		if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{subject}, NoAck: name == "WIDE"}); err != nil {
			t.Fatal(err)
		}
	}
	r := apply(t, js, o)
	foreign := map[string]string{}
	for _, i := range r.Items {
		if i.Action == provision.Foreign {
			foreign[i.Name] = i.Differences[0].Have
		}
	}
	if !r.Differs() || fmt.Sprint(foreign) != "map[AUDIT:protocol.query BACKUP:protocol.member.*.ping WIDE:*.query.>]" {
		t.Errorf("%v", foreign)
	}
	if err := errors.Join(js.DeleteStream(t.Context(), "AUDIT"), js.DeleteStream(t.Context(), "BACKUP"), js.DeleteStream(t.Context(), "WIDE")); err != nil {
		t.Fatal(err)
	}
	if r := apply(t, js, o); r.Differs() {
		t.Errorf("%v", said(r))
	}
}
