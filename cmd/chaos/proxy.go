//go:build unix

// A way between two processes that can be cut, and that can be made to lead elsewhere.

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// proxy passes TCP connections on.
type proxy struct {
	listener net.Listener

	mu    sync.Mutex // guards all below
	to    string
	cut   bool
	conns map[net.Conn]bool
}

// newProxy listens on loopback and passes on to the address to.
func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p := &proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
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
	go func() { _, _ = io.Copy(out, in); one <- struct{}{} }()
	go func() { _, _ = io.Copy(in, out); one <- struct{}{} }()
	<-one // what one side has ended, the other has no use for
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
}

func (p *proxy) heal() { p.lead("") }

// lead heals the way, and leads to another address if one is given.
func (p *proxy) lead(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
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
