// Where to listen: this machine alone, unless an address says otherwise.

package ops

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Address is where a setting such as ":8080" listens: without a host on 127.0.0.1 alone.
func Address(setting string) (string, error) {
	host, port, err := net.SplitHostPort(setting)
	if err != nil {
		return "", errors.New("must be host:port, such as :8080 for this machine alone or 0.0.0.0:8080 for all")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("port must be from 0 to 65535, not %q", port)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// Reach is where a process on the same machine reaches what listens by a setting.
func Reach(setting string) (string, error) {
	address, err := Address(setting)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}

// Listen opens the socket of a setting.
func Listen(ctx context.Context, setting string) (net.Listener, error) {
	address, err := Address(setting)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	return l, nil
}
