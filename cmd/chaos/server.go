//go:build unix

// NATS servers as processes: one alone, or a cluster of three.

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
)

// server is one nats-server. It keeps its address, its folder and its settings over its deaths.
type server struct {
	name, url, settings string
	running             *process
}

// cluster is the servers of a house.
type cluster struct {
	dir     string
	program string
	servers []*server
}

// freePorts gives ports that nobody listens on at present.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a port: %w", err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// newCluster writes the settings of n servers, whose streams lie below store; sync is sync_interval, "" the server's default.
func newCluster(dir, program, store, sync string, n int) (*cluster, error) {
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, program: program}
	var routes []string
	for i := range n {
		routes = append(routes, fmt.Sprintf("%q", fmt.Sprintf("nats-route://127.0.0.1:%d", ports[n+i])))
	}
	if sync != "" {
		sync = "sync_interval: " + sync
	}
	for i := range n {
		s := &server{name: fmt.Sprintf("nats-%d", i+1), url: fmt.Sprintf("nats://127.0.0.1:%d", ports[i])}
		s.settings = filepath.Join(dir, s.name+".conf")
		text := fmt.Sprintf("server_name: %s\nlisten: \"127.0.0.1:%d\"\nping_interval: \"10s\"\nmax_payload: 131072\njetstream { store_dir: %q, max_file_store: 4GB, %s }\n",
			s.name, ports[i], filepath.Join(store, s.name), sync)
		if n > 1 {
			text += fmt.Sprintf("cluster { name: chaos, listen: \"127.0.0.1:%d\", routes: [%s] }\n", ports[n+i], strings.Join(routes, ", "))
		}
		if err := os.WriteFile(s.settings, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write settings of %s: %w", s.name, err)
		}
		c.servers = append(c.servers, s)
	}
	return c, nil
}

// start starts one of the servers.
func (c *cluster) start(ctx context.Context, s *server) (err error) {
	s.running, err = start(ctx, c.dir, s.name, nil, c.program, "-c", s.settings)
	return err
}

// up starts all of them and waits until JetStream answers.
func (c *cluster) up(ctx context.Context) error {
	for _, s := range c.servers {
		if err := c.start(ctx, s); err != nil {
			return err
		}
	}
	return eventually(ctx, 30*time.Second, "JetStream answers", func() bool {
		nc, err := nats.Connect(c.urls(), nats.Timeout(time.Second))
		if err != nil {
			return false
		}
		defer nc.Close()
		m, err := nc.Request("$JS.API.INFO", nil, time.Second)
		return err == nil && !strings.Contains(string(m.Data), `"error"`)
	})
}

// urls is what clients are given.
func (c *cluster) urls() string {
	var all []string
	for _, s := range c.servers {
		all = append(all, s.url)
	}
	return strings.Join(all, ",")
}
