//go:build unix

// What others see of the fleet: a NATS service, and messages that need no library of this
// project.

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestByHand(t *testing.T) {
	t.Parallel()
	s := newStand(t, standOptions{})
	s.workers(2)
	t.Run("JSON over a bare socket", func(t *testing.T) { jsonByHand(t, s.in(t)) })
	t.Run("msgpack", func(t *testing.T) { msgpackByHand(t, s.in(t)) })
	t.Run("unreadable", func(t *testing.T) { unreadableByHand(t, s.in(t)) })
	t.Run("service", func(t *testing.T) { serviceTools(t, s.in(t)) })
	if sums := s.askedOnce(); sums.Calls != 1 {
		t.Errorf("%d calls for one question in two encodings", sums.Calls)
	}
}

// jsonByHand writes the NATS protocol itself, as the oldest clients do: line by line, without
// headers.
func jsonByHand(t *testing.T, s *stand) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.nats, "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	body := `{"v": 1, "id": "by hand", "user_email": "debit-only+hand@example.com", "meta": {"who": "nobody's library"}}`
	fmt.Fprintf(conn, "CONNECT {\"verbose\":false}\r\nSUB _INBOX.hand 1\r\nPUB protocol.query _INBOX.hand %d\r\n%s\r\n", len(body), body)
	var r struct {
		V, Attempts           int
		ID, Outcome, Partner  string
		Charge                *bool `json:"charge_agent"`
		Refund                *bool `json:"refund_charge"`
		Retryable             *bool
		Meta                  map[string]string
		Source, Verified, Run string
	}
	payload := message(t, bufio.NewReader(conn))
	if err := json.Unmarshal(payload, &r); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	if r.V != 1 || r.ID != "by hand" || r.Outcome != "signed" || r.Charge == nil || !*r.Charge || r.Refund == nil ||
		*r.Refund || r.Retryable == nil || *r.Retryable || r.Meta["who"] != "nobody's library" || r.Source != "asked" || r.Run == "" {
		t.Errorf("answered %s", payload)
	}
}

// message reads lines until a message comes, and returns its payload.
func message(t *testing.T, r *bufio.Reader) []byte {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "MSG" {
			continue
		}
		size, err := strconv.Atoi(words[len(words)-1])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		payload := make([]byte, size)
		for n := 0; n < size; {
			m, err := r.Read(payload[n:])
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
		return payload
	}
}

// msgpackByHand sends {v: 1, id: "h", user_email: …} byte by byte and looks for the bytes of the
// answer.
func msgpackByHand(t *testing.T, s *stand) {
	email := "debit-only+hand@example.com"
	query := []byte{0x83, 0xa1, 'v', 1, 0xa2, 'i', 'd', 0xa1, 'h', 0xaa}
	query = append(query, "user_email"...)
	query = append(append(query, 0xa0|byte(len(email))), email...)
	m, err := s.connect().Request("protocol.query", query, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\xa2id\xa1h", "\xa7outcome\xa6signed", "\xaccharge_agent\xc3", "\xadrefund_charge\xc2", "\xa9retryable\xc2"} {
		if !bytes.Contains(m.Data, []byte(want)) {
			t.Errorf("no %q in the answer %q", want, m.Data)
		}
	}
	if len(m.Data) == 0 || m.Data[0]&0xf0 != 0x80 && m.Data[0] != 0xde {
		t.Errorf("the answer %q is not a msgpack map", m.Data)
	}
	if len(m.Header) != 0 {
		t.Errorf("headers %v; the answer says all of it itself", m.Header)
	}
}

// unreadableByHand: each query gets one reply that names what is wrong, and makes no call.
func unreadableByHand(t *testing.T, s *stand) {
	nc := s.connect()
	for body, want := range map[string]string{
		`{"v":1,"user_email":"no address"}`:          "user_email",
		`{"v":1,"user_email":"a@example.com","e":1}`: "e",
		`{"v":1}`:                             "user_email",
		`{"v":1,"user_email":"a@example.com"`: "",
		"\xc1":                                "",
		`{"v":1,"account_no":"2088","id":"an account"}`: "account_no",
	} {
		m, err := nc.Request("protocol.query", []byte(body), time.Minute)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		said := string(m.Data)
		if !strings.Contains(said, "refused") || !strings.Contains(said, "BAD_REQUEST") || !strings.Contains(said, want) {
			t.Errorf("%s: answered %s", body, said)
		}
		if m.Header.Get("Nats-Service-Error-Code") != "400" || m.Header.Get("Nats-Service-Error") != "BAD_REQUEST" {
			t.Errorf("%s: headers %v", body, m.Header)
		}
	}
}

// serviceTools asks what any tool for NATS services asks.
func serviceTools(t *testing.T, s *stand) {
	for _, verb := range []string{"PING", "INFO", "STATS"} {
		answers := s.service(verb)
		if len(answers) != 2 {
			t.Errorf("%s: %d workers answered, want 2", verb, len(answers))
		}
		requests := 0
		for _, data := range answers {
			var told struct {
				Type, Name, ID, Version, Description string
				Endpoints                            []struct {
					Name, Subject string
					NumRequests   int `json:"num_requests"`
					Data          map[string]any
				}
			}
			if err := json.Unmarshal(data, &told); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			if told.Name != "protocol-query" || told.ID == "" || told.Version == "" || told.Type != "io.nats.micro.v1."+strings.ToLower(verb)+"_response" {
				t.Errorf("%s: %s", verb, data)
			}
			if verb == "PING" {
				continue
			}
			if len(told.Endpoints) == 0 || told.Endpoints[0].Subject != "protocol.query" {
				t.Errorf("%s: %s", verb, data)
				continue
			}
			requests += told.Endpoints[0].NumRequests
			if verb == "STATS" && told.Endpoints[0].Data["outcomes"] == nil {
				t.Errorf("no outcomes in %s", data)
			}
		}
		if verb == "STATS" && requests != 8 {
			t.Errorf("STATS: %d requests, want the 8 that were made", requests)
		}
	}
}

// service asks every worker for one of the things that a NATS service reports: PING, INFO or
// STATS.
func (s *stand) service(verb string) [][]byte { return s.serviceUntil(verb, 500*time.Millisecond) }

// serviceUntil is service with another time without a reply after which it ends.
func (s *stand) serviceUntil(verb string, quiet time.Duration) (answers [][]byte) {
	s.t.Helper()
	nc := s.connect()
	defer nc.Close()
	sub, err := nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := nc.PublishRequest("$SRV."+verb+".protocol-query", sub.Subject, nil); err != nil {
		s.t.Fatal(err)
	}
	for { // until no more replies come
		m, err := sub.NextMsg(quiet)
		if err != nil {
			return answers
		}
		if len(m.Data) > 0 {
			answers = append(answers, m.Data)
		}
	}
}
