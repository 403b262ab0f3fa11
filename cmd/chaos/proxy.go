//go:build unix

// A way between two processes that can be cut, held up in one direction, and made to lead elsewhere.

package main

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// direction is one of the two in which bytes go: from who has called, or back to him.
type direction int

const (
	there direction = iota
	back
)

// proxy passes TCP connections on.
type proxy struct {
	listener net.Listener

	mu    sync.Mutex // guards all below
	moved *sync.Cond // something below has changed
	to    string
	cut   bool
	held  [2]bool // by direction
	conns map[net.Conn]bool
}

// newProxy listens on loopback and passes on to the address to.
func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
	p.moved = sync.NewCond(&p.mu)
	go p.serve()
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.pass(in)
	}
}

func (p *proxy) pass(in net.Conn) {
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
	go func() { p.flow(out, in, there); one <- struct{}{} }()
	go func() { p.flow(in, out, back); one <- struct{}{} }()
	<-one // what one side has ended, the other has no use for
}

// flow copies one direction of a connection. What is held up arrives late, as TCP loses nothing within a connection.
func (p *proxy) flow(to, from net.Conn, d direction) {
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

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.cut
}

func (p *proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// sever closes every connection, and new ones too until heal.
func (p *proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.moved.Broadcast()
}

// hold keeps what goes in a direction until heal; the other goes on, and nobody's connection ends.
func (p *proxy) hold(d direction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[d] = true
}

func (p *proxy) heal() { p.lead("") }

// lead heals the way, and leads to another address if one is given.
func (p *proxy) lead(to string) {
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

func (p *proxy) close() {
	_ = p.listener.Close()
	p.sever()
}
