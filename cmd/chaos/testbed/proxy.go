//go:build unix

// A proxy between two processes that can be cut, delayed in one direction, and led elsewhere.

package testbed

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Direction is the direction of bytes: from the caller, or back to it.
type Direction int

// There is from the caller, Back is to it.
const (
	There Direction = iota
	Back
)

// Proxy passes TCP connections on.
type Proxy struct {
	listener net.Listener

	mu    sync.Mutex // guards all below
	moved *sync.Cond // something below has changed
	to    string
	cut   bool
	held  [2]bool // by direction
	conns map[net.Conn]bool
}

// newProxy listens on loopback and forwards to the address to.
func newProxy(to string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &Proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
	p.moved = sync.NewCond(&p.mu)
	go p.serve()
	return p, nil
}

func (p *Proxy) address() string { return p.listener.Addr().String() }

func (p *Proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.pass(in)
	}
}

func (p *Proxy) pass(in net.Conn) {
	defer in.Close()
	p.mu.Lock()
	to, cut := p.to, p.cut
	p.mu.Unlock()
	if cut {
		return
	}
	out, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	if !p.keep(in, out) {
		return
	}
	defer p.forget(in, out)
	one := make(chan struct{}, 2)
	go func() { p.flow(out, in, There); one <- struct{}{} }()
	go func() { p.flow(in, out, Back); one <- struct{}{} }()
	<-one // when one side has ended, the other is of no use
}

// flow copies one direction of a connection. Delayed bytes arrive late, as TCP loses nothing within
// a connection.
func (p *Proxy) flow(to, from net.Conn, d Direction) {
	for b := make([]byte, 32<<10); ; {
		n, err := from.Read(b)
		p.mu.Lock()
		for p.held[d] && !p.cut {
			p.moved.Wait()
		}
		p.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.cut
}

func (p *Proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// Sever closes every connection, and new ones too until Heal.
func (p *Proxy) Sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.moved.Broadcast()
}

// Hold delays one direction until Heal. The other goes on, and no connection ends.
func (p *Proxy) Hold(d Direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[d] = true
}

// Heal lets bytes pass again.
func (p *Proxy) Heal() { p.Lead("") }

// Lead ends all faults, and forwards to another address if one is given.
func (p *Proxy) Lead(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.held = false, [2]bool{}
	p.moved.Broadcast()
	if to == "" || to == p.to {
		return
	}
	p.to = to
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.Sever()
}
