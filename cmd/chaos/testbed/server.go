//go:build unix

// NATS servers as processes: one alone, or a cluster of three.

package testbed

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// ShiftVariable holds how many seconds a server's wall clock is ahead.
const ShiftVariable = "CHAOS_CLOCK"

// server is one nats-server. It keeps its address, its folder and its settings after its deaths.
type server struct {
	Name, uRL, settings string
	env                 []string
	Running             *Process
}

// cluster is the servers of a test bed.
type cluster struct {
	dir     string
	program string
	Servers []*server
	ways    [][]*Proxy // from one server to another, if the plan separates them
}

// freePorts returns ports that are free at present.
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

// newCluster writes the settings of the servers of a plan.
func newCluster(dir, program string, p Plan) (*cluster, error) {
	n := p.Servers
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, program: program}
	for i := range n {
		s := &server{Name: fmt.Sprintf("nats-%d", i+1), uRL: fmt.Sprintf("nats://127.0.0.1:%d", ports[i])}
		if i < len(p.Clocks) {
			s.env = []string{fmt.Sprintf("%s=%d", ShiftVariable, int(p.Clocks[i].Seconds()))}
		}
		s.settings = filepath.Join(dir, s.Name+".conf")
		text := fmt.Sprintf("server_name: %s\nlisten: \"127.0.0.1:%d\"\nping_interval: \"10s\"\nmax_payload: "+
			"131072\njetstream { store_dir: %q, max_file_store: 4GB, sync_interval: %s }\n",
			s.Name, ports[i], filepath.Join(p.Store, s.Name), p.Sync)
		if n > 1 {
			routes, err := c.routes(i, ports[n:], p.Parted)
			if err != nil {
				return nil, err
			}
			text += routes
		}
		if err := os.WriteFile(s.settings, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write settings of %s: %w", s.Name, err)
		}
		c.Servers = append(c.Servers, s)
	}
	return c, nil
}

// routes are the settings of one server's routes to all. If they are to be cut they lead through
// proxies, and no server tells another an address that bypasses the proxies.
func (c *cluster) routes(of int, ports []int, parted bool) (string, error) {
	var routes []string
	ways := make([]*Proxy, len(ports))
	for to, port := range ports {
		address := fmt.Sprintf("127.0.0.1:%d", port)
		if parted && to != of {
			way, err := newProxy(address)
			if err != nil {
				return "", err
			}
			ways[to], address = way, way.address()
		}
		routes = append(routes, strconv.Quote("nats-route://"+address))
	}
	told := ""
	if parted {
		c.ways = append(c.ways, ways)
		told = fmt.Sprintf("no_advertise: true, advertise: \"127.0.0.1:%d\", ", of+1) // nothing listens there
	}
	return fmt.Sprintf("cluster { name: chaos, listen: \"127.0.0.1:%d\", %sroutes: [%s] }\n", ports[of], told,
		strings.Join(routes, ", ")), nil
}

// Each calls f for every route from a server to another: out is the direction in which the server
// sends on it.
func (c *cluster) Each(of int, f func(way *Proxy, out Direction)) {
	for i := range c.ways {
		if i != of {
			f(c.ways[of][i], There)
			f(c.ways[i][of], Back)
		}
	}
}

// Start starts one of the servers.
func (c *cluster) Start(ctx context.Context, s *server) (err error) {
	s.Running, err = start(ctx, c.dir, s.Name, s.env, c.program, "-c", s.settings)
	return err
}

// Up starts all of them and waits until JetStream answers.
func (c *cluster) Up(ctx context.Context) error {
	for _, s := range c.Servers {
		if err := c.Start(ctx, s); err != nil {
			return err
		}
	}
	return Eventually(ctx, 30*time.Second, "JetStream answers", func() bool {
		nc, err := nats.Connect(c.uRLs(), nats.Timeout(time.Second))
		if err != nil {
			return false
		}
		defer nc.Close()
		m, err := nc.Request("$JS.API.INFO", nil, time.Second)
		return err == nil && !strings.Contains(string(m.Data), `"error"`)
	})
}

// close ends the routes between the servers.
func (c *cluster) close() {
	for _, ways := range c.ways {
		for _, way := range ways {
			if way != nil {
				way.close()
			}
		}
	}
}

// uRLs is the address list for clients.
func (c *cluster) uRLs() string {
	var all []string
	for _, s := range c.Servers {
		all = append(all, s.uRL)
	}
	return strings.Join(all, ",")
}
