// Contestants: a name, the command line of a worker, and the way its queries arrive.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"protocolq/cmd/peerbench/cmdline"
)

// contestant is what the bench starts, and how it asks it.
type contestant struct {
	cmd      string
	binary   string // {protocolq}, if it is not that of this tree
	setup    string // run once before the workers
	beside   string // runs beside the workers, its CPU time counted separately
	ingest   string // core: a request. js: a stream
	replyBy  string // js: where the reply subject is, in a header or in the field reply_to
	noStream bool   // js: setup or the workers make the stream
}

const (
	flags    = " -nats {nats} -gateway {gateway} -partner {partner} -key-file {keyfile}"
	bucket   = " -nats {nats} -replicas {replicas}"
	byField  = "field"
	byHeader = "header"
	core     = "core"
	js       = "js"
)

// ours is the whole of protocolq: the streams, a worker with limits that do not affect the
// measurement, and the recorder that writes the query log. Like the others, it remembers for ten
// minutes and reuses connections to the gateway at once.
var ours = contestant{
	setup: "{protocolq} provision --nats {nats} --replicas {replicas}",
	cmd: "{protocolq} worker --nats {nats} --gateway-url {gateway} --unsafe-gateway --partner {partner} --sign-type " +
		"MD5 --key-file {keyfile}" +
		" --log-hmac-key-file {logkey} --freshness 10m --slots 1024 --gateway-reuse-after 1ns --log-level error",
	beside: "{protocolq} recorder --nats {nats} --database sqlite://{tmp}/log.db --log-level error",
	ingest: core,
}

// dying is ours with short times, to measure a worker's death.
var dying = with(ours, " --lease 4s --call-timeout 2s")

func with(ct contestant, flags string) contestant {
	ct.cmd += flags
	return ct
}

// by is a contestant with another build of protocolq.
func by(ct contestant, binary string) contestant {
	ct.binary = binary
	return ct
}

var contestants = map[string]contestant{
	"bare":            {cmd: "{bin}/bare" + flags, ingest: core},
	"bare-cache":      {cmd: "{bin}/bare -cache 10m" + flags, ingest: core},
	"micro-kv":        {setup: "{bin}/kv -make" + bucket, cmd: "{bin}/kv" + flags, ingest: core},
	"micro-kv-mem":    {setup: "{bin}/kv -make -memory" + bucket, cmd: "{bin}/kv" + flags, ingest: core},
	"watermill":       {cmd: "{bin}/watermill -dedupe middleware" + flags, ingest: js, replyBy: byHeader},
	"watermill-cache": {cmd: "{bin}/watermill -dedupe cache" + flags, ingest: js, replyBy: byHeader},
	"protocolq":       ours,
	"protocolq-short": dying,
	firstCore:         by(ours, firstCoreBinary),
	"protocolq-submit": {setup: ours.setup, cmd: ours.cmd, beside: ours.beside, ingest: js, replyBy: byField,
		noStream: true},
}

// contestantNames are the contestants in alphabetical order.
func contestantNames() []string {
	var out []string
	for k := range contestants {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// known returns a contestant by its name. NAME#2 is NAME once more, which shows the noise;
// NAME@PATH is NAME with another protocolq, which shows the effect of a change.
func known(name string) (ct contestant, protocolq string, ok bool) {
	_, protocolq, _ = strings.Cut(name, "@")
	ct, ok = contestants[plain(name)]
	return ct, cmp.Or(protocolq, ct.binary, "bin/protocolq"), ok
}

// pick returns the contestant with the flags' changes.
func (o *options) pick() (contestant, error) {
	ct, protocolq, ok := known(o.contestant)
	switch {
	case o.workerCmd != "":
		ct = contestant{cmd: o.workerCmd, replyBy: byField, ingest: core}
	case !ok:
		return ct, fmt.Errorf("no contestant %q: one of %s, or -worker-cmd", o.contestant,
			strings.Join(contestantNames(), ", "))
	}
	o.protocolq = protocolq
	ct.ingest = cmp.Or(o.ingest, ct.ingest)
	ct.setup, ct.beside = cmp.Or(o.setupCmd, ct.setup), cmp.Or(o.besideCmd, ct.beside)
	ct.noStream = o.noStream || ct.noStream
	if o.noRecorder {
		ct.beside = ""
	}
	switch ct.ingest {
	case core:
		ct.replyBy = ""
	case js:
		ct.replyBy = cmp.Or(o.replyBy, ct.replyBy, byField)
	default:
		return ct, fmt.Errorf("no such -ingest %q", ct.ingest)
	}
	if ct.replyBy != "" && ct.replyBy != byField && ct.replyBy != byHeader {
		return ct, fmt.Errorf("no such -reply-by %q", ct.replyBy)
	}
	if len(cmdline.Split(ct.cmd)) == 0 {
		return ct, errors.New("empty -worker-cmd")
	}
	return ct, nil
}
