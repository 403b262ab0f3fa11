// The practice gateway of a fleet, its partners, and the accounts that play parts.

package protocolqtest

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

// Email is the login of an account for which the gateway plays a part. name, of letters and digits,
// makes distinct accounts for the same part.
//
// The parts are signed, debit-only, refund-only, not-signed and abnormal; every code of the gateway
// in lower case with - for _ (no-sign-customer, system-error: [simulator.ScenarioNames] lists all);
// fault- and one of [simulator.FaultNames] (fault-drop, fault-delay-300ms). With -n it is only the
// first n calls, and then signed: system-error-2, fault-drop-1.
func Email(part, name string) string { return part + "+" + name + "@example.com" }

// practiceKey protects nothing: no real gateway knows it.
const practiceKey = "practice0000practice0000practice"

func practicePartners() []gateway.Partner {
	key, err := mapi.ParseKey(mapi.MD5, []byte(practiceKey))
	if err != nil {
		panic(err) // it is a constant
	}
	return []gateway.Partner{{ID: Partner, Key: key}, {ID: OtherPartner, Key: key}}
}

// gate is the gateway on its address.
type gate struct {
	sim  *simulator.Simulator
	url  string
	away atomic.Bool
}

func openGate(t testing.TB, o *Options) *gate {
	t.Helper()
	s := simulator.Options{Latency: o.Latency, Faults: o.Faults, Logger: o.Logger}
	for _, p := range practicePartners() {
		s.Partners = append(s.Partners, simulator.Partner{ID: p.ID, Key: p.Key})
	}
	g := &gate{sim: must(simulator.New(s))(t)}
	web := httptest.NewServer(g)
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	g.url = web.URL + simulator.Path
	return g
}

// ServeHTTP is the gateway's. While the gateway is stopped, connections end without an answer.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.away.Load() {
		panic(http.ErrAbortHandler)
	}
	g.sim.ServeHTTP(w, r)
}

// StopGateway lets every call end without an answer: askers get unknown.
func (f *Fleet) StopGateway() { f.gateway.away.Store(true) }

// StartGateway lets the gateway answer again.
func (f *Fleet) StartGateway() { f.gateway.away.Store(false) }
