// Where a socket cannot be looked into, a short read looks instead.

//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package gateway

import (
	"errors"
	"net"
)

func pending(net.Conn) (int, error) { return 0, errors.ErrUnsupported }
