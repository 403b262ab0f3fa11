// A bench that may not receive its answers says so before it asks anything.

package bench

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"protocolq/worker/natstest"
)

func TestBenchMayNotListen(t *testing.T) {
	deny := &server.SubjectPermission{Deny: []string{"secret.>"}}
	ns := natstest.Serve(t, server.Options{Users: []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{Subscribe: deny}}}})
	a := &benchAsker{nc: natstest.Connect(t, ns, nats.UserInfo("u", "p")), answers: "secret.bench-"}
	if err := a.listen(); err == nil || !strings.Contains(err.Error(), `Subscription to "secret.bench-*"`) {
		t.Errorf("it was told %v", err)
	}
}
