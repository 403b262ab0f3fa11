// Systems that cannot show what has arrived on a socket: a short read looks instead.

//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package gateway

import (
	"errors"
	"net"
)

func pending(net.Conn) (int, error) { return 0, errors.ErrUnsupported }
