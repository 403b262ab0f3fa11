// Real servers: small ones, three of them, and settings that an operator has changed.

package provision_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/worker/provision"
)

// Any setting changed by hand is found, and repaired if the server allows it.
func TestEveryChangeIsFound(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	apply(t, js, o)
	changeStream(t, js, "PROTOCOL_EVENTS", func(c *jetstream.StreamConfig) {
		c.MaxMsgs, c.MaxMsgSize, c.NoAck, c.AllowRollup = 7, 1<<10, true, true
	})
	changeStream(t, js, "PROTOCOL_DEAD", func(c *jetstream.StreamConfig) {
		c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: ">", Destination: "elsewhere.>"}
	})
	want := []string{
		`PROTOCOL_DEAD: subject_transform {"src":">","dest":"elsewhere.>"}, declared none`,
		"PROTOCOL_EVENTS: allow_rollup_hdrs true, declared false",
		"PROTOCOL_EVENTS: max_msg_size 1024, declared -1",
		"PROTOCOL_EVENTS: max_msgs 7, declared -1",
		"PROTOCOL_EVENTS: no_ack true, declared false",
	}
	if r := apply(t, js, o); !r.Differs() || !slices.Equal(said(r), want) {
		t.Errorf("found\n%s", strings.Join(said(r), "\n"))
	}
	o.Update = true
	if r := apply(t, js, o); r.Differs() {
		t.Errorf("left\n%s", strings.Join(said(r), "\n"))
	}
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"sealed":     func(c *jetstream.StreamConfig) { c.Sealed = true },
		"deny_purge": func(c *jetstream.StreamConfig) { c.DenyPurge = true },
	} {
		changeStream(t, js, "PROTOCOL_DEAD", change)
		o.Update = false
		if r := apply(t, js, o); !r.Differs() || !strings.Contains(strings.Join(said(r), "\n"), "PROTOCOL_DEAD: "+name+" true, declared false") {
			t.Errorf("%s: found\n%s", name, strings.Join(said(r), "\n"))
		}
		o.Update = true
		if done := actions(apply(t, js, o)); done["PROTOCOL_DEAD"] != provision.Anew {
			t.Errorf("%s cannot be mended: %v", name, done)
		}
		if err := js.DeleteStream(t.Context(), "PROTOCOL_DEAD"); err != nil {
			t.Fatal(err)
		}
		apply(t, js, o)
	}
}

// The operator of the servers decides where a stream is; repairing another setting leaves that.
func TestPlacementStays(t *testing.T) {
	js := connect(t, serve(t, &server.Options{DontListen: true, Tags: []string{"ssd"}}))
	o := options(t, "protocol")
	apply(t, js, o)
	changeStream(t, js, "PROTOCOL_DEAD", func(c *jetstream.StreamConfig) {
		c.Placement, c.Metadata, c.MaxMsgs = &jetstream.Placement{Tags: []string{"ssd"}}, map[string]string{"team": "refunds"}, 7
	})
	o.Update = true
	if r := apply(t, js, o); r.Differs() || len(said(r)) != 1 {
		t.Errorf("%v", said(r))
	}
	if c := config(t, js, "PROTOCOL_DEAD"); c.MaxMsgs != -1 || c.Placement == nil || c.Metadata["team"] != "refunds" {
		t.Errorf("%+v", c)
	}
}

// forgetful is a server that does not know some fields, and silently drops them.
type forgetful struct{ jetstream.JetStream }

func (f forgetful) CreateStream(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
	c.RePublish = nil
	return f.JetStream.CreateStream(ctx, c)
}

func (f forgetful) CreateConsumer(ctx context.Context, stream string, c jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	c.MaxWaiting = 1
	return f.JetStream.CreateConsumer(ctx, stream, c)
}

// A made stream is checked, too.
func TestWhatWasMadeDiffers(t *testing.T) {
	js, o := start(t), options(t, "protocol")
	r := apply(t, forgetful{js}, o)
	all := strings.Join(said(r), "\n")
	for _, want := range []string{"PROTOCOL_JOURNAL: republish none, declared ", "PROTOCOL_LOG > recorder: max_waiting 1, declared 2048"} {
		if !strings.Contains(all, want) {
			t.Errorf("not said: %s\n%s", want, all)
		}
	}
	if a := actions(r); !r.Differs() || a["PROTOCOL_JOURNAL"] != provision.Differs || a["PROTOCOL_EVENTS"] != provision.Created {
		t.Errorf("%v", a)
	}
}

// If the disk has less room, the error says what is needed.
func TestSmallDisk(t *testing.T) {
	js := connect(t, serve(t, &server.Options{DontListen: true, JetStreamMaxStore: 512 << 20}))
	o := options(t, "protocol")
	_, err := provision.Apply(t.Context(), js, o)
	if !errors.Is(err, provision.ErrNoRoom) || !strings.Contains(err.Error(), "stream PROTOCOL_JOURNAL: there is less room: it needs 1 GiB on the server, all streams of the fleet 3.109 GiB: ") {
		t.Errorf("%v", err)
	}
}

// cluster is three servers.
func cluster(t *testing.T) jetstream.JetStream {
	t.Helper()
	var routes []*url.URL
	var listeners []net.Listener
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: l.Addr().String()})
	}
	var servers []*server.Server
	for i, l := range listeners {
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close() // the server takes its place
		servers = append(servers, serve(t, &server.Options{ServerName: fmt.Sprint("s", i), Host: "127.0.0.1", Port: -1, Routes: routes,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}}))
	}
	js := connect(t, servers[0])
	within(t, "the cluster is ready", func() error {
		_, err := js.AccountInfo(t.Context())
		return err
	})
	return js
}

func within(t *testing.T, what string, do func() error) {
	t.Helper()
	end, tick := time.After(2*time.Minute), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for err := do(); err != nil; err = do() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// copiesOf lists how many copies each stream has.
func copiesOf(t *testing.T, js jetstream.JetStream, o provision.Options) map[int]int {
	t.Helper()
	all := map[int]int{}
	for _, s := range provision.Streams(o) {
		all[config(t, js, s.Name).Replicas]++
	}
	return all
}

func await(t *testing.T, js jetstream.JetStream, o provision.Options) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := provision.Await(ctx, js, o); err != nil {
		t.Error(err)
	}
}

// Copies grow on request, shrink if that is allowed, and otherwise stay.
func TestCopies(t *testing.T) {
	t.Parallel() // the servers take their time
	js, o := cluster(t), options(t, "protocol")
	within(t, "the first time", func() error {
		_, err := provision.Apply(t.Context(), js, o)
		return err
	})
	publish(t, js, o.Names.Submit(), "a query")
	all := len(provision.Streams(o))
	step := func(what string, o provision.Options, copies int, differs bool) provision.Report {
		t.Helper()
		r := apply(t, js, o)
		if got := copiesOf(t, js, o); got[copies] != all || r.Differs() != differs {
			t.Fatalf("%s: %v copies, differs: %v\n%s", what, got, r.Differs(), strings.Join(said(r), "\n"))
		}
		return r
	}
	step("not given", o, 1, false)
	grown := o
	grown.Replicas, grown.Update = 3, true
	if r := step("more", grown, 3, false); !r.Grown() {
		t.Errorf("that there are more is not said: %+v", r)
	}
	await(t, js, o)
	again := o
	again.Update, again.AckWait = true, 20*time.Second
	step("something else is updated", again, 3, false)
	less := o
	less.Replicas, less.Update, less.AckWait = 1, true, 20*time.Second
	if r := step("less, not allowed", less, 3, true); said(r)[0] != "PROTOCOL_DEAD: num_replicas 3, declared 1" || r.Items[0].Differences[0].Changed {
		t.Errorf("%+v", r.Items[0])
	}
	if err := js.DeleteStream(t.Context(), "PROTOCOL_DEAD"); err != nil {
		t.Fatal(err)
	}
	again.Update = false
	step("one is made beside others", again, 3, false)
	less.Less = true
	step("less, allowed", less, 1, false)
	if got := in(t, js, "PROTOCOL_SUBMITTED")[o.Names.Submit()]; got != "a query" {
		t.Errorf("what was submitted is %q", got)
	}
	// A setting that stays also bounds what a stream may hold.
	changeStream(t, js, "PROTOCOL_LOG", func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 30 })
	less.Less, less.Replicas = false, 0
	if r := apply(t, js, less); !r.Differs() || config(t, js, "PROTOCOL_LOG").MaxBytes != 1<<30 {
		t.Errorf("%v", said(r))
	}
}
