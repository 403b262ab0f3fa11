// What has arrived on a socket, without reading it.

//go:build darwin || freebsd || linux || netbsd || openbsd

package gateway

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// pending says how many bytes wait on a socket, up to one. It returns io.EOF if the other side has
// closed, and errors.ErrUnsupported if the connection is not a socket.
func pending(conn net.Conn) (n int, err error) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peeked error
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, peeked = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(peeked, syscall.EAGAIN), errors.Is(peeked, syscall.EINTR):
		return 0, nil
	case peeked != nil:
		return 0, peeked
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
