// Envelopes: the golden headers of every kind of message, refusals, and that a written envelope
// reads the same.

package messages_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/messages"
)

const trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

// envelopes are the contents of the golden examples.
var envelopes = map[string]messages.Envelope{
	"query": {Subject: "protocol.query.2088000000000001.booking", Door: "query", Partner: "2088000000000001", Asker: "booking",
		ContentType: "application/json; charset=utf-8", ID: "mine-1", Trace: trace},
	"submit": {Subject: "protocol.submit.2088000000000001.booking", Door: "submit", Partner: "2088000000000001", Asker: "booking",
		ContentType: "application/msgpack", ID: "mine-1/0123456789abcdef", Redriven: 2},
	"redrive": {Subject: "protocol.query.2088000000000001.booking", Door: "query", Partner: "2088000000000001", Asker: "booking",
		ContentType: "application/msgpack", ID: "mine-1", ReplyTo: "_INBOX.a.1", Trace: trace, MsgID: "tok/r2", Token: "tok/r2", Redriven: 2},
	"dead": {Subject: "protocol.submit.2088000000000001", Door: "submit", Partner: "2088000000000001", ContentType: "application/json",
		ID: "mine-1", ReplyTo: "protocol.reply.booking", MsgID: "7-1700000000000000000/expired", Token: "7-1700000000000000000",
		StoredMs: 1700000000000, Tries: 4, Redriven: 1, LastCode: "SYSTEM_ERROR",
		Why: "the deadline passed before there was an answer; ask again with a later one"},
	"reply": {ContentType: "application/json", MsgID: "tok", Token: "tok", ErrorCode: "503", ErrorMessage: "SYSTEM_ERROR",
		Outcome: messages.Unknown, Run: "run-1", Trace: trace},
	"event": {ContentType: "application/json", MsgID: "run-1", Token: "run-1", Outcome: messages.Signed, Run: "run-1"},
}

// goldenEnvelope reads a subject and the headers below it.
func goldenEnvelope(t testing.TB, file string) (subject string, header map[string][]string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(must(os.ReadFile(file))(t))), "\n")
	return lines[0], headerOf(strings.Join(lines[1:], "\n"))
}

// headerOf reads lines of a name, a colon and a value; one without a colon is a header without a
// value.
func headerOf(lines string) map[string][]string {
	h := map[string][]string{}
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h[name] = append(h[name], value)
		} else if line != "" {
			h[line] = nil
		}
	}
	return h
}

func TestGoldenEnvelopes(t *testing.T) {
	files := must(filepath.Glob(filepath.Join("testdata", "envelope", "*.txt")))(t)
	if len(files) != len(envelopes) {
		t.Fatalf("%d examples of %d envelopes", len(files), len(envelopes))
	}
	names := must(messages.NewNames("protocol"))(t)
	for _, file := range files {
		kind := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(kind, func(t *testing.T) {
			subject, header := goldenEnvelope(t, file)
			want := envelopes[kind]
			want.Body = []byte("the body")
			got, err := names.ParseEnvelope(subject, header, want.Body)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("%v (-want +got):\n%s", err, diff)
			}
			if _, isDoor := names.PartnerOf(subject); isDoor {
				return // it has an asker's headers, which are not all the fleet's
			}
			if diff := cmp.Diff(header, got.Header()); diff != "" {
				t.Errorf("header (-example +ours):\n%s", diff)
			}
		})
	}
}

func TestParseEnvelope(t *testing.T) {
	names := must(messages.NewNames("pay.prod"))(t)
	for what, c := range map[string]struct {
		subject, header string
		want            messages.Envelope
	}{
		"the plain door":             {"pay.prod.query", "", messages.Envelope{Subject: "pay.prod.query", Door: "query"}},
		"a partner's door":           {"pay.prod.submit.1", "", messages.Envelope{Subject: "pay.prod.submit.1", Door: "submit", Partner: "1"}},
		"more than one token":        {"pay.prod.submit.1.a.b", "", messages.Envelope{Subject: "pay.prod.submit.1.a.b", Door: "submit", Partner: "1"}},
		"an empty name":              {"pay.prod.submit.1.", "", messages.Envelope{Subject: "pay.prod.submit.1.", Door: "submit", Partner: "1"}},
		"headers that only we write": {"pay.prod.submit", "Protocol-Reply-To: x\nProtocol-Token: y\nProtocol-Door: query\nProtocol-Partner: 2088000000000001\nProtocol-Stored: 5", messages.Envelope{Subject: "pay.prod.submit", Door: "submit"}},
		"an id of no use":            {"pay.prod.query", "Nats-Msg-Id: " + strings.Repeat("é", 129), messages.Envelope{Subject: "pay.prod.query", Door: "query"}},
		"the longest id":             {"pay.prod.query", "Nats-Msg-Id: " + strings.Repeat("é", 128), messages.Envelope{Subject: "pay.prod.query", Door: "query", ID: strings.Repeat("é", 128)}},
		"an id with a wide space":    {"pay.prod.submit", "Nats-Msg-Id: order\u30001", messages.Envelope{Subject: "pay.prod.submit", Door: "submit"}},
		"an id with what none sees":  {"pay.prod.query", "Nats-Msg-Id: order\u200b1", messages.Envelope{Subject: "pay.prod.query", Door: "query"}},
		"a trace of no use":          {"pay.prod.query", "traceparent: " + strings.ToUpper(trace), messages.Envelope{Subject: "pay.prod.query", Door: "query"}},
		"not redriven":               {"pay.prod.submit", "Protocol-Redriven: -1", messages.Envelope{Subject: "pay.prod.submit", Door: "submit"}},
		"names that are not ours":    {"pay.prod.redrive.1", "protocol-token: a\nce-id: b", messages.Envelope{}},
		"a header without a value":   {"pay.prod.redrive.1", "Protocol-Token\nNats-Msg-Id: a/r1", messages.Envelope{MsgID: "a/r1", Token: "a/r1"}},
		"none so far":                {"pay.prod.dead.expired", "Protocol-Redriven: 0", messages.Envelope{}},
		"ours, of a trace of no use": {"pay.prod.redrive.1", "Nats-Msg-Id: a\ntraceparent: 1", messages.Envelope{MsgID: "a", Token: "a"}},
	} {
		got, err := names.ParseEnvelope(c.subject, headerOf(c.header), nil)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
		}
	}
}

// What is refused, with the name of the fault, and that the envelope holds the rest, so that a
// refusal finds its way.
func TestEnvelopeRefused(t *testing.T) {
	names := must(messages.NewNames("protocol"))(t)
	for what, c := range map[string]struct{ subject, header, field string }{
		"not under the prefix":     {"_INBOX.a", "", ""},
		"the prefix itself":        {"protocol", "", ""},
		"no encoding":              {"protocol.query", "Content-Type: text/plain", ""},
		"no encoding, ours":        {"protocol.redrive.1", "Content-Type: text/plain", ""},
		"a parameter of no use":    {"protocol.query", "Content-Type: application/json;\x00", ""},
		"a parameter that is bad":  {"protocol.query", "Content-Type: application/msgpack; a=\xff", ""},
		"twice":                    {"protocol.query", "Content-Type: application/json\nContent-Type: application/json", "Content-Type"},
		"too long":                 {"protocol.query", "Content-Type: " + strings.Repeat("x", 4097), "Content-Type"},
		"two tokens":               {"protocol.redrive.1", "Protocol-Token: a\nProtocol-Token: a", "Protocol-Token"},
		"no number":                {"protocol.redrive.1", "Protocol-Stored: soon", "Protocol-Stored"},
		"a negative number":        {"protocol.redrive.1", "Protocol-Stored: -5", "Protocol-Stored"},
		"a number of 64 bits":      {"protocol.dead.poison", "Protocol-Tries: 9223372036854775808", "Protocol-Tries"},
		"a zero before a number":   {"protocol.dead.poison", "Protocol-Redriven: 01", "Protocol-Redriven"},
		"no door":                  {"protocol.dead.poison", "Protocol-Door: back", "Protocol-Door"},
		"no partner":               {"protocol.redrive.1", "Protocol-Partner: 208800000000000", "Protocol-Partner"},
		"a long id":                {"protocol.redrive.1", "Protocol-Id: " + strings.Repeat("a", 129), "Protocol-Id"},
		"no outcome":               {"protocol.event.1.signed", "Protocol-Outcome: maybe", "Protocol-Outcome"},
		"no code of an error":      {"protocol.reply.a", "Nats-Service-Error-Code: no", "Nats-Service-Error-Code"},
		"a control character":      {"protocol.dead.poison", "Protocol-Reason: a\x07b", "Protocol-Reason"},
		"bytes that are no text":   {"protocol.dead.poison", "Protocol-Subject: a\xff", "Protocol-Subject"},
		"the first of two is told": {"protocol.dead.poison", "Protocol-Door: back\nProtocol-Subject: a\xff", "Protocol-Subject"},
	} {
		got, err := names.ParseEnvelope(c.subject, headerOf(c.header+"\nNats-Msg-Id: kept"), []byte("body"))
		refusal, ok := errors.AsType[*messages.Error](err)
		if !ok || refusal.Code != messages.BadRequest || refusal.Field != c.field {
			t.Errorf("%s: %v, want a refusal of %q", what, err, c.field)
			continue
		}
		checkRefusal(t, err)
		if string(got.Body) != "body" || strings.Contains(c.subject, ".") && c.subject[0] == 'p' && got.ID+got.MsgID != "kept" {
			t.Errorf("%s: the envelope kept %+v", what, got)
		}
	}
}

// An envelope does not change when it is written and read again, as an operator does with a message
// from a door.
func FuzzEnvelope(f *testing.F) {
	files := must(filepath.Glob(filepath.Join("testdata", "envelope", "*.txt")))(f)
	if len(files) < 6 {
		f.Fatalf("%d examples", len(files))
	}
	for _, file := range files {
		subject, header := goldenEnvelope(f, file)
		var lines strings.Builder
		for name, values := range header {
			for _, v := range values {
				fmt.Fprintf(&lines, "%s: %s\n", name, v)
			}
		}
		f.Add(subject, lines.String())
	}
	f.Add("protocol.submit.1.a.b", "Content-Type: x\nContent-Type: y\nNats-Msg-Id: \xff")
	f.Add("protocol.query", "Content-Type: application/JSON;\x00")
	names := must(messages.NewNames("protocol"))(f)
	f.Fuzz(func(t *testing.T, subject, lines string) {
		e, err := names.ParseEnvelope(subject, headerOf(lines), nil)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		written := e.Header()
		for name, values := range written {
			if len(values) != 1 || values[0] == "" || name == "" {
				t.Fatalf("wrote %q: %q", name, values)
			}
		}
		again, err := names.ParseEnvelope("protocol.redrive.1", written, nil)
		if reason := storable(&e); err != nil && reason != "" {
			return
		}
		if diff := cmp.Diff(e, again); err != nil || diff != "" {
			t.Fatalf("written as %q: %v\n%s", written, err, diff)
		}
	})
}

// storable says why a message from a door cannot be stored unchanged, "" if it can: its subject
// names no partner, or it is too long or not text, which no server passes on. The door refuses it
// before.
func storable(e *messages.Envelope) string {
	switch {
	case e.Partner != "" && !messages.IsPartner(e.Partner):
		return "partner"
	case len(e.Subject) > 4<<10 || slices.ContainsFunc([]rune(e.Subject), func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "subject"
	}
	return ""
}
