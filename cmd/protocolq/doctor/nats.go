// NATS: whether it is reached, its version works, a batch fits, and its clock agrees with ours.

package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"protocolq/cmd/protocolq/natsconn"
	"protocolq/messages"
	"protocolq/worker/provision"
)

const (
	checkTime   = 5 * time.Second
	oldestNATS  = "2.11.0"  // before it the log's streams are not as declared, without a word
	leastBytes  = 128 << 10 // of max_payload: the largest query, and as much again for what surrounds it in the journal
	mostSkew    = 2 * time.Second
	connectHint = "is a NATS server running there, and do the network and its TLS let this machine reach it? nats " +
		"says where, nats-creds who this is"
)

// bench is what the NATS checks share.
type bench struct {
	o     *Options
	names fleet
	nc    *nats.Conn
	js    jetstream.JetStream
}

// checkNATS connects like the process, and checks everything that the process needs of the servers.
func checkNATS(ctx context.Context, o *Options) []Check {
	names, err := messages.NewNames(o.Config.Prefix)
	if err != nil {
		return nil // a fault of the settings
	}
	how := natsconn.For(o.Config, "doctor", "")
	how.Inbox = o.inbox()
	nc, err := natsconn.Connect(how)
	if err != nil {
		return []Check{fault("nats", err.Error(), connectHint)}
	}
	defer nc.Close()
	js, err := natsconn.JetStream(nc, o.Config)
	if err != nil {
		return []Check{fault("nats", err.Error(), connectHint)}
	}
	b := &bench{o: o, names: fleet{names, cmp.Or(o.Config.JetStreamAPI(), "$JS.API") + ".", how.Inbox,
		provision.HasSchedules(nc)}, nc: nc, js: js}
	list := []Check{well("nats", "%s, %s", nc.ConnectedUrlRedacted(), nc.ConnectedServerName()),
		checkVersion(nc.ConnectedServerVersion()), checkPayload(nc.MaxPayload())}
	if may, err := (right{listen, how.Inbox + ".>"}).try(ctx, nc); err == nil && !may {
		return append(list,
			fault("nats.rights", "this user may not subscribe "+how.Inbox+".>, where all that it asks for is answered",
				rightsCure))
	}
	list = append(list, b.checkStreams(ctx)...)
	list = append(list, b.checkForeign(ctx), b.checkNeeded(ctx))
	list = append(list, b.checkExcess(ctx)...)
	return append(list, b.checkReplies(ctx)...)
}

// inbox is the inbox prefix of the process that the settings are for.
func (o *Options) inbox() string {
	switch o.Role {
	case forRecorder:
		return o.Config.Inbox(messages.RecorderInbox)
	case forHTTP:
		return o.Config.Inbox(messages.HTTPInbox)
	case forConsole:
		return o.Config.Inbox(consoleInbox)
	}
	return messages.WorkerInbox
}

func checkVersion(version string) Check {
	if older(version, oldestNATS) {
		return fault("nats.version", "nats-server "+version+" is older than "+oldestNATS,
			"use nats-server 2.15.2 or later; all servers of a cluster")
	}
	return well("nats.version", "nats-server %s", version)
}

// older compares versions of three numbers.
func older(version, than string) bool {
	var v, t [3]int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &v[0], &v[1], &v[2]); n < 2 {
		return false // an invalid version proves nothing
	}
	if _, err := fmt.Sscanf(than, "%d.%d.%d", &t[0], &t[1], &t[2]); err != nil {
		return false
	}
	for i := range v {
		if v[i] != t[i] {
			return v[i] < t[i]
		}
	}
	return false
}

func checkPayload(most int64) Check {
	if most < leastBytes {
		return fault("nats.max_payload",
			fmt.Sprintf("max_payload is %d bytes: a batch of the journal may be refused for good", most),
			"set max_payload of the servers, and of this user's account, to 128KB or more, better 1MB")
	}
	return well("nats.max_payload", "%d bytes", most)
}

// checkSkew compares a clock with this machine's, which was read before and after it.
func checkSkew(name string, theirs, before, after time.Time) Check {
	skew := time.Duration(0)
	switch {
	case theirs.Before(before):
		skew = theirs.Sub(before)
	case theirs.After(after):
		skew = theirs.Sub(after)
	}
	if skew.Abs() > mostSkew {
		return fault(name, fmt.Sprintf("its clock is %s ahead of this machine's", skew.Round(100*time.Millisecond)),
			"have all machines follow one time server (chrony, systemd-timesyncd): answers are remembered by the "+
				"larger of two clocks' distances")
	}
	return well(name, "within %s", mostSkew)
}

// onlyHere reports whether all servers are reached over this machine's loopback.
func onlyHere(servers []string) bool {
	for _, s := range servers {
		if !strings.Contains(s, "://") {
			s = "nats://" + s
		}
		u, err := url.Parse(s)
		if err != nil {
			return false
		}
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
