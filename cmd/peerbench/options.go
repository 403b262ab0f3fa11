// Options: the flags of one cell.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"protocolq/cmd/peerbench/gw"
)

type options struct {
	contestant, workerCmd, setupCmd, besideCmd, dist, keyParams, partner, key, sync    string
	ingest, subject, submitSubject, replyBy, replyHeader, replyPrefix, stream, storage string
	// the binary, from the contestant's name
	protocolq                                              string
	n, c, workers, keys, warm, servers, remembered         int
	zipfS, errorRate, httpErrors, rate                     float64
	latency, jitter, timeout, maxTime, killAt, idle, drain time.Duration
	noStream, noRecorder, keep, killTerm                   bool
	seed                                                   uint64
}

const placeholders = "{nats} {gateway} {partner} {key} {keyfile} {logkey} {replicas} {protocolq} {bin} {tmp} {i}"

func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("peerbench cell", flag.ExitOnError)
	f.StringVar(&o.contestant, "contestant", "protocolq",
		"one of "+strings.Join(contestantNames(),
			", ")+", or any name with -worker-cmd; NAME#2 is NAME again, NAME@PATH is NAME with the protocolq at PATH")
	f.StringVar(&o.workerCmd, "worker-cmd", "",
		"command line of a worker; "+placeholders+" are filled in, and PEER_NATS, PEER_GATEWAY, PEER_PARTNER, "+
			"PEER_KEY, PEER_KEYFILE, PEER_TMP, PEER_INDEX are set in its environment")
	f.StringVar(&o.setupCmd, "setup-cmd", "",
		"command line run once before the workers start, with the same placeholders ({i} is 0) and environment")
	f.StringVar(&o.besideCmd, "beside-cmd", "", "command line that runs beside the workers; its CPU is counted apart")
	f.BoolVar(&o.noRecorder, "no-recorder", false, "run nothing beside the workers")
	f.IntVar(&o.n, "n", 10_000_000, "requests at most")
	f.IntVar(&o.c, "c", 512, "concurrent callers")
	f.Float64Var(&o.rate, "rate", 0,
		"in place of -c: so many queries a second, whether or not those before are answered; latency counts from "+
			"when each was due")
	f.IntVar(&o.workers, "workers", 1, "worker processes")
	f.StringVar(&o.dist, "dist", "unique", "unique, zipf or same")
	f.IntVar(&o.keys, "keys", 5000, "zipf: key space")
	f.Float64Var(&o.zipfS, "zipf-s", 1.1, "zipf: exponent")
	f.IntVar(&o.warm, "warm", 500, "requests before the measurement")
	f.Uint64Var(&o.seed, "seed", 1, "of the keys asked for")
	f.DurationVar(&o.timeout, "timeout", 2*time.Second, "a request's time-out")
	f.DurationVar(&o.maxTime, "max", 2*time.Second, "send no new request after this")
	f.DurationVar(&o.drain, "drain", time.Minute,
		"wait so long at most for what is owed after the last answer, such as the query log's rows")
	f.IntVar(&o.remembered, "remembered", 0,
		"protocolq: so many remembered answers are in the stream before the measurement")
	f.DurationVar(&o.killAt, "kill-at", 0,
		"stop the first worker at this time into the measurement and start it again (0: no)")
	f.DurationVar(&o.idle, "idle", 0,
		"let the workers rest so long before the load, and count the CPU that they take in it (0: not at all)")
	f.BoolVar(&o.killTerm, "kill-term", false,
		"with -kill-at: SIGTERM and wait, as a rolling restart does, instead of SIGKILL")
	f.BoolVar(&o.keep, "keep", false, "keep the temporary directory (logs)")
	o.doorFlags(f)
	o.worldFlags(f)
	return f
}

// doorFlags say how queries arrive.
func (o *options) doorFlags(f *flag.FlagSet) {
	f.StringVar(&o.ingest, "ingest", "",
		"core: a request. js: publish to a stream, see -reply-by (default: the contestant's; core with -worker-cmd)")
	f.StringVar(&o.replyBy, "reply-by", "",
		"js: field: publish to -submit-subject, the query's field reply_to names a subject under -reply-prefix. "+
			"header: publish to -subject, -reply-header names an inbox (default: the contestant's; field with "+
			"-worker-cmd)")
	f.StringVar(&o.subject, "subject", "protocol.query", "subject (core, and js with -reply-by header)")
	f.StringVar(&o.submitSubject, "submit-subject", "protocol.submit", "subject (js with -reply-by field)")
	f.StringVar(&o.replyPrefix, "reply-prefix", "protocol.reply.bench",
		"results come to this subject and a number (js with -reply-by field)")
	f.StringVar(&o.replyHeader, "reply-header", "Reply-To", "header with the reply subject (js with -reply-by header)")
	f.StringVar(&o.stream, "stream", "PROTOCOL", "stream made for -ingest js")
	f.StringVar(&o.storage, "storage", "file", "file or memory, of that stream")
	f.BoolVar(&o.noStream, "no-stream", false, "with -ingest js: the workers or -setup-cmd make the stream")
}

// worldFlags describe the gateway and the servers.
func (o *options) worldFlags(f *flag.FlagSet) {
	f.DurationVar(&o.latency, "latency", 0, "gateway latency")
	f.DurationVar(&o.jitter, "jitter", 0, "gateway jitter")
	f.Float64Var(&o.errorRate, "error-rate", 0, "share of SYSTEM_ERROR answers")
	f.Float64Var(&o.httpErrors, "http-error-rate", 0, "share of HTTP 502 answers")
	f.StringVar(&o.keyParams, "key-params", "", "form parameters that make the gateway's key")
	f.StringVar(&o.partner, "partner", gw.DefaultPartner, "partner id")
	f.StringVar(&o.key, "key", gw.DefaultKey, "MD5 key")
	f.IntVar(&o.servers, "servers", 1, "nats-servers: 1, or 3 for a cluster with three copies of each stream")
	f.StringVar(&o.sync, "sync", "", "sync_interval of the nats-servers, such as always (default: the server's own)")
}

// validate names options with which no cell can run.
func (o *options) validate() error {
	switch {
	case !slices.Contains([]string{"unique", "zipf", "same"}, o.dist):
		return fmt.Errorf("no such -dist %q", o.dist)
	case o.servers != 1 && o.servers != 3:
		return fmt.Errorf("-servers is 1 or 3, not %d", o.servers)
	case o.rate < 0:
		return fmt.Errorf("-rate is 0 at least")
	case o.c < 1 || o.workers < 1 || o.keys < 1 || o.n < 1:
		return fmt.Errorf("-c, -workers, -keys and -n are 1 at least")
	}
	return nil
}

func cellCommand(ctx context.Context, args []string) error {
	var o options
	f := o.flagSet()
	_ = f.Parse(args) // ends the program itself
	if f.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", f.Arg(0))
	}
	r, err := runCell(ctx, &o)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
