// Which servers are new enough.

package provision

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"protocolq/worker/journal"
)

// Why a server cannot be used.
var (
	ErrOldServer   = errors.New("the NATS server is too old")
	ErrSmallServer = errors.New("the NATS server allows only short messages")
)

// The first version that reads a log in batches (direct get with "batch"). A server that does not
// know a field of a request ignores it silently.
const (
	leastMajor = 2
	leastMinor = 11
	// scheduleMinor is the first version with message schedules, which the page in the browser needs
	// for watches.
	scheduleMinor = 12
)

// HasSchedules reports whether the server of a connection has message schedules.
func HasSchedules(nc *nats.Conn) bool { return !before(nc.ConnectedServerVersion(), scheduleMinor) }

// CheckServer returns an error that names the server if it cannot be used. The server must have
// responded once: it says after the start of a connection what it allows for this user.
func CheckServer(nc *nats.Conn) error {
	version := nc.ConnectedServerVersion()
	if oldVersion(version) {
		return fmt.Errorf("%w: %s is version %s, and %d.%d is the least", ErrOldServer, nc.ConnectedServerName(),
			version, leastMajor, leastMinor)
	}
	if n := nc.MaxPayload(); n < journal.LeastMessage {
		return fmt.Errorf("%w: %s has a max_payload of %d bytes, and %d is the least", ErrSmallServer,
			nc.ConnectedServerName(), n, journal.LeastMessage)
	}
	return nil
}

// oldVersion reports whether a version is below the minimum. An unreadable version is not.
func oldVersion(version string) bool { return before(version, leastMinor) }

// before reports whether a version is below leastMajor and minor.
func before(version string, least int) bool {
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 || err != nil {
		return false
	}
	return major < leastMajor || major == leastMajor && minor < least
}
