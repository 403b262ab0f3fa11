// The call log as evidence: it counts what happened, and nothing else.

package simulator_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

func TestCallLog(t *testing.T) {
	s := newSimulator(t, nil)
	for _, email := range []string{"signed@example.com", "system-error@example.com", "signed@example.com"} {
		askRaw(t, s, mapi.UTF8, email, "")
	}
	roundTrip(t, s, post(t, action+"gbk", "nonsense"))
	want := []simulator.Call{
		{N: 1, Partner: partnerID, Key: "signed@example.com", Answer: "signed", Conclusive: true},
		{N: 2, Partner: partnerID, Key: "system-error@example.com", Answer: "SYSTEM_ERROR"},
		{N: 3, Partner: partnerID, Key: "signed@example.com", Answer: "signed", Conclusive: true, After: true},
		{N: 4, Partner: "unknown", Answer: "ILLEGAL_CHARSET"},
	}
	times := cmpopts.IgnoreFields(simulator.Call{}, "Started", "Ended")
	if diff := cmp.Diff(want, s.Calls(), times); diff != "" {
		t.Error(diff)
	}
	sums := s.Stats()
	if sums.Calls != 4 || sums.Accounts != 3 || sums.Conclusive != 2 || sums.Doubled != 1 || sums.Doubles != 1 ||
		sums.AfterConclusive != 1 || sums.Overlapping != 0 || sums.By["signed"] != 2 || sums.By["SYSTEM_ERROR"] != 1 {
		t.Errorf("%+v", sums)
	}
	s.Reset()
	if n := s.Stats(); n.Calls != 0 || n.Accounts != 0 || len(n.By) != 0 || len(s.Calls()) != 0 {
		t.Errorf("after the reset: %+v", n)
	}
}

func TestOverlappingCallsAreFlagged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulator(t, func(o *simulator.Options) { o.Latency = time.Second })
		var wg sync.WaitGroup
		for _, email := range []string{"signed@example.com", "signed@example.com", "signed+2@example.com"} {
			wg.Go(func() { askRaw(t, s, mapi.UTF8, email, "") })
		}
		wg.Wait()
		askRaw(t, s, mapi.UTF8, "signed@example.com", "")
		if n := s.Stats(); n.Overlapping != 1 || n.InFlight != 0 || n.Doubles != 2 {
			t.Errorf("%+v", n)
		}
		for _, c := range s.Calls() {
			if c.Ended-c.Started != 1_000_000 {
				t.Errorf("%+v took %d µs", c, c.Ended-c.Started)
			}
		}
	})
}

func TestClientThatLeavesGetsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulator(t, func(o *simulator.Options) { o.Latency = time.Minute })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req := post(t, action+"utf-8", form(t, query(mapi.UTF8, "signed@example.com", ""), mapi.UTF8))
		if _, err := s.RoundTrip(req.WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) { //nolint:bodyclose // there is no answer to close
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if c := s.Calls()[0]; c.Answer != "client-left" || c.Conclusive {
			t.Errorf("%+v", c)
		}
	})
}

func TestCallLogIsBounded(t *testing.T) {
	s := newSimulator(t, func(o *simulator.Options) { o.KeepCalls = 3 })
	for i := range 5 {
		askRaw(t, s, mapi.UTF8, fmt.Sprintf("signed+%d@example.com", i), "")
	}
	var kept []uint64
	for _, c := range s.Calls() {
		kept = append(kept, c.N)
	}
	if n := s.Stats(); !cmp.Equal(kept, []uint64{3, 4, 5}) || n.Dropped != 2 || n.Untracked != 2 || n.Calls != 5 {
		t.Errorf("kept %v, %+v", kept, n)
	}
}

// serve runs everything on loopback and returns the two addresses.
func serve(t testing.TB, s *simulator.Simulator) (gateway, log string) {
	t.Helper()
	var at [2]net.Listener
	for i := range at {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at[i] = l
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, at[0], at[1]) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + at[0].Addr().String(), "http://" + at[1].Addr().String()
}

func fetch(t *testing.T, method, url string) (int, io.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp.StatusCode, resp.Body
}

func TestServeAndLogOverSockets(t *testing.T) {
	s := newSimulator(t, nil)
	gateway, log := serve(t, s)
	// Two connections, the first used twice.
	for _, transport := range []*http.Transport{{}, {}} {
		defer transport.CloseIdleConnections()
		for range 2 {
			body := form(t, query(mapi.UTF8, "signed@example.com", ""), mapi.UTF8)
			resp, err := transport.RoundTrip(post(t, gateway+"/gateway.do?_input_charset=utf-8", body))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || told(t, answer) != "T T T" {
				t.Fatalf("%q, %v", answer, err)
			}
		}
	}
	var conns []uint64
	_, lines := fetch(t, "GET", log+"/calls?since=1")
	for scan := bufio.NewScanner(lines); scan.Scan(); {
		var c simulator.Call
		if err := json.Unmarshal(scan.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c.Conn)
	}
	if !cmp.Equal(conns, []uint64{1, 2, 2}) {
		t.Errorf("connections %v", conns)
	}
	var sums simulator.Stats
	_, body := fetch(t, "GET", log+"/stats")
	if err := json.NewDecoder(body).Decode(&sums); err != nil || sums.Calls != 4 || sums.Doubles != 3 {
		t.Errorf("%+v, %v", sums, err)
	}
	status, page := fetch(t, "GET", log+"/")
	if text, err := io.ReadAll(page); err != nil || status != 200 || !strings.Contains(string(text), "POST /reset") {
		t.Errorf("the page that lists its verbs: %d, %q, %v", status, text, err)
	}
	if status, _ := fetch(t, "GET", log+"/other"); status != 404 {
		t.Errorf("an unknown page: %d", status)
	}
	if status, _ := fetch(t, "GET", log+"/calls?since=x"); status != 400 {
		t.Errorf("since=x: %d", status)
	}
	if status, _ := fetch(t, "GET", log+"/reset"); status != 405 {
		t.Errorf("GET /reset: %d", status)
	}
	if status, _ := fetch(t, "POST", log+"/reset"); status != 204 || len(s.Calls()) != 0 {
		t.Errorf("POST /reset: %d", status)
	}
	if status, _ := fetch(t, "GET", gateway+"/calls"); status != 404 {
		t.Errorf("the log at the gateway's address: %d", status)
	}
}
