// One rule for a partner id, for askers' queries and for the gateway's, from one table.

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
	"protocolq/messages"
	"protocolq/worker"
)

// partnerIDs are ids, and whether they are valid.
var partnerIDs = map[string]bool{
	"2088000000000001":     true, // the practice set
	"2088000000000002":     true,
	"2088101568353491":     true,
	"2088000000000000":     true,
	"2088999999999999":     true,
	"1088101568353491":     false,
	"1000000000000000":     false,
	"2089001122334455":     false,
	"0000208800000000":     false,
	"2088":                 false,
	"208810156835349":      false,
	"20881015683534910":    false,
	"20881015683534910156": false,
	"2088-10156835349":     false,
	"2088 10156835349":     false,
	" 2088101568353491":    false,
	"2088101568353491 ":    false,
	"2088101568353491\n":   false,
	"208810156835349\n":    false,
	"208810156835349x":     false,
	"２０８８":                 false, // 12 bytes
	"2088０００２":             false, // 16 bytes, full-width digits
	"2088٠٠٠٠٠٠":           false, // 16 bytes, Arabic digits
	"+208810156835349":     false,
	"0x88101568353491":     false,
	"2088.10156835349":     false,
	"2088*10156835349":     false,
}

func TestPartnerIDsAreOneRule(t *testing.T) {
	key, err := mapi.ParseKey(mapi.MD5, []byte("practice0000practice0000practice"))
	if err != nil {
		t.Fatal(err)
	}
	for id, good := range partnerIDs {
		for who, fault := range map[string]error{
			"messages, a query":   messages.Query{V: messages.Version, Partner: id, UserEmail: "a@example.com"}.Check(),
			"mapi":                mapi.CheckPartner(id),
			"gateway.New":         second(gateway.New(gateway.Options{Partners: []gateway.Partner{{ID: id, Key: key}}})),
			"simulator.New":       second(simulator.New(simulator.Options{Partners: []simulator.Partner{{ID: id, Key: key}}})),
			"messages.IsPartner":  verdict(messages.IsPartner(id)),
			"messages, in a JSON": decoded(id),
			"worker.New":          served(id),
		} {
			if (fault == nil) != good {
				t.Errorf("%s: %q is good %v, %v", who, id, good, fault)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func verdict(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("no partner id")
}

// served is a worker's fault for id among its partners.
func served(id string) error {
	_, err := worker.New(worker.Options{Partners: []string{id}})
	return verdict(err != nil && !strings.Contains(err.Error(), fmt.Sprintf("%q is not a partner id", id)))
}

// decoded is the door's fault for a query for id in JSON.
func decoded(id string) error {
	data, err := json.Marshal(map[string]string{"partner": id, "user_email": "a@example.com"})
	if err != nil {
		return err
	}
	_, _, err = messages.DecodeQuery(data, string(messages.JSON))
	return err
}

// idle is a gateway that nobody asks.
type idle struct{}

func (idle) Ask(context.Context, gateway.Query, func() error) (gateway.Answer, gateway.Report, error) {
	return gateway.Answer{}, gateway.Report{}, nil
}

// A partner's key is replaced before NATS is there, and the process is told to end.
func TestRepairedBeforeRun(t *testing.T) {
	nc, err := nats.Connect("nats://127.0.0.1:1", nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	names, err := messages.NewNames("protocol")
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Options{NATS: nc, Reply: nc, Gateway: idle{}, Names: names, Partners: []string{partner}})
	if err != nil {
		t.Fatal(err)
	}
	repairing, end := context.WithCancel(t.Context())
	repaired := make(chan struct{})
	go func() {
		defer close(repaired)
		w.Repaired(repairing, partner)
	}()
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := w.Run(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	end()
	select {
	case <-repaired:
	case <-time.After(20 * time.Second):
		t.Error("Repaired has not returned")
	}
}
