// Servers: one nats-server, or a cluster of three, on free ports with fresh stores.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// startServers returns the servers and their URLs, joined by commas.
func startServers(ctx context.Context, tmp string, n int, sync string) (all []*proc, urls string, err error) {
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, "", err
	}
	var clients, routes []string
	for i := range n {
		clients = append(clients, fmt.Sprintf("nats://127.0.0.1:%d", ports[2*i]))
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[2*i+1]))
	}
	for i := range n {
		name := fmt.Sprintf("nats%d", i)
		conf := fmt.Sprintf("server_name: %s\nlisten: 127.0.0.1:%d\njetstream {\n  store_dir: %q\n", name, ports[2*i],
			filepath.Join(tmp, name))
		if sync != "" {
			conf += "  sync_interval: " + sync + "\n"
		}
		conf += "}\n"
		if n > 1 {
			conf += fmt.Sprintf("cluster { name: peerbench, listen: 127.0.0.1:%d, routes: [%s] }\n", ports[2*i+1],
				strings.Join(routes, ", "))
		}
		path := filepath.Join(tmp, name+".conf")
		if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
			return all, "", err
		}
		p, err := start(ctx, tmp, name, nil, "bin/nats-server", "-c", path)
		if err != nil {
			return all, "", err
		}
		all = append(all, p)
	}
	return all, strings.Join(clients, ","), nil
}

// freePorts asks the system for free ports, and gives them back at once.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// connect waits for the servers and for JetStream; a cluster must first elect its leader.
func connect(urls string) (*nats.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		nc, err := reach(ctx, urls)
		if err == nil {
			return nc, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func reach(ctx context.Context, urls string) (*nats.Conn, error) {
	nc, err := nats.Connect(urls, nats.Name("peerbench"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second) // a cluster without a leader does not respond at all
	defer cancel()
	stream, err := jetstream.New(nc)
	if err == nil {
		_, err = stream.AccountInfo(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// makeStream makes the stream that queries go to, for a contestant that does not make it itself.
func makeStream(nc *nats.Conn, o *options, ct contestant) error {
	if ct.ingest != js || ct.noStream {
		return nil
	}
	stream, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	cfg := jetstream.StreamConfig{Name: o.stream, Subjects: []string{o.subject}, Storage: jetstream.FileStorage,
		Replicas: o.servers}
	if ct.replyBy == byField {
		cfg.Subjects[0] = o.submitSubject
	}
	if o.storage == "memory" {
		cfg.Storage = jetstream.MemoryStorage
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err = stream.CreateOrUpdateStream(ctx, cfg) // the try before may have made it
	return err
}
