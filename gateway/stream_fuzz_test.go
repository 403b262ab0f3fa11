// However an answer is cut into segments, and whatever surrounds it, the client gives the right
// answer or none.

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"protocolq/gateway"
)

// scripted is a connection in memory whose other side has prepared what it says at each stage:
// before the first question, after it, after the second.
type scripted struct {
	stages   []stage
	deadline time.Time
}

type stage struct {
	says []segment
	ends bool // then the other side closes
}

// segment is what arrives together. A pause is a read that finds nothing.
type segment struct {
	bytes string
	pause bool
}

func (c *scripted) Read(b []byte) (int, error) {
	now := &c.stages[0]
	switch {
	case c.deadline.Before(time.Unix(2, 0)): // over already: nothing to look for
		return 0, os.ErrDeadlineExceeded
	case len(now.says) == 0 && now.ends:
		return 0, io.EOF
	case len(now.says) == 0: // as if it had waited that long
		return 0, os.ErrDeadlineExceeded
	case now.says[0].pause:
		now.says = now.says[1:]
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, now.says[0].bytes)
	if now.says[0].bytes = now.says[0].bytes[n:]; now.says[0].bytes == "" {
		now.says = now.says[1:]
	}
	return n, nil
}

// Write takes a question. What was said before it and not read is read after it.
func (c *scripted) Write(b []byte) (int, error) {
	if len(c.stages) < 2 || c.stages[0].ends {
		return 0, net.ErrClosed
	}
	c.stages[1].says = append(c.stages[0].says, c.stages[1].says...)
	c.stages = c.stages[1:]
	return len(b), nil
}

func (c *scripted) Close() error {
	c.stages = []stage{{ends: true}}
	return nil
}

func (c *scripted) LocalAddr() net.Addr                { return &net.UnixAddr{} }
func (c *scripted) RemoteAddr() net.Addr               { return &net.UnixAddr{} }
func (c *scripted) SetDeadline(t time.Time) error      { c.deadline = t; return nil }
func (c *scripted) SetReadDeadline(t time.Time) error  { c.deadline = t; return nil }
func (c *scripted) SetWriteDeadline(_ time.Time) error { return nil }

// theater is a client whose every dial returns the next of some scripted connections.
type theater struct {
	client     *gateway.Client
	next       []*scripted
	both, none int // how often the second question was answered, and how often one was not
}

func newTheater(t testing.TB) *theater {
	s := &theater{}
	s.client = newClient(t, func(o *gateway.Options) {
		o.URL, o.UnsafeHost, o.ReuseAfter = "http://localhost/gateway.do", true, 1
		o.Dial = func(context.Context, string, string) (net.Conn, error) {
			if len(s.next) == 0 {
				return nil, errors.New("no more connections")
			}
			c := s.next[0]
			s.next = s.next[1:]
			return c, nil
		}
	})
	return s
}

// ask returns "signed", another status, or "" for no answer.
func (s *theater) ask(t *testing.T) gateway.Status {
	a, _, err := s.client.Ask(t.Context(), email("signed"), nil)
	if err == nil {
		return a.Status
	}
	if e := (*gateway.Error)(nil); !errors.As(err, &e) || e.Class == 0 || a.Status != "" {
		t.Fatalf("%+v, %v", a, err)
	}
	return ""
}

// choices draws from a fuzzer's bytes; when they are used up every choice is the first.
type choices []byte

func (c *choices) of(n int) int {
	if len(*c) == 0 {
		return 0
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return int(b) % n
}

// some takes up to most bytes as they are.
func (c *choices) some(most int) string {
	n := min(c.of(most+1), len(*c))
	s := string((*c)[:n])
	*c = (*c)[n:]
	return s
}

// token is some bytes that may stand in a header or a chunk extension.
func (c *choices) token() string {
	return strings.Map(func(r rune) rune {
		if r < '!' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) {
			return 'x'
		}
		return r
	}, c.some(8)) + "t"
}

const signedBody = `<alipay><is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>T</refund_charge></alipay>`

// answer is the body in one of the framings of HTTP. If whole is false the framing itself may be
// refused.
func (c *choices) answer(body string) (text string, whole, closes bool) {
	for range c.of(8) {
		text += fmt.Sprintf("HTTP/1.1 %d Info\r\nX-%s: %s\r\n\r\n", 102+c.of(2), c.token(), c.token())
	}
	whole = strings.Count(text, "HTTP/1.1") <= 5
	text += "HTTP/1.1 200 OK\r\nX-" + c.token() + ": " + c.token() + "\r\n"
	switch c.of(4) {
	case 0:
		text += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	case 1:
		text += fmt.Sprintf("Connection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		closes = true
	case 2:
		text += "\r\n" + body
		closes = true
	default:
		text += "Transfer-Encoding: chunked\r\n\r\n"
		for body != "" {
			n := 1 + c.of(len(body))
			text += fmt.Sprintf("%x;%s=%s\r\n%s\r\n", n, c.token(), c.token(), body[:n])
			body = body[n:]
		}
		text += "0\r\n"
		for range c.of(3) {
			text += "X-" + c.token() + ": " + c.token() + "\r\n"
		}
		text += "\r\n"
	}
	return text, whole, closes
}

// stray is unexpected: a whole answer that says the opposite, or any bytes.
func (c *choices) stray() string {
	switch c.of(4) {
	case 0, 1:
		return ""
	case 2:
		text, _, _ := c.answer(`<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`)
		return text
	}
	return c.some(64)
}

// split cuts a text into segments.
func (c *choices) split(text string) (parts []segment) {
	for text != "" {
		n := len(text)
		if c.of(3) > 0 {
			n = 1 + (c.of(256)*256+c.of(256))%len(text)
		}
		parts = append(parts, segment{bytes: text[:n]})
		text = text[n:]
	}
	return parts
}

// FuzzStream asks twice about signed accounts over a connection. The other side answers each
// question correctly and says anything around that: before the question, after the answer, at once
// or while the connection rests. The second answer may come over a second, clean one.
func FuzzStream(f *testing.F) {
	seeds := []string{
		"", "\x00\x00\x00\x01", strings.Repeat("\x02", 40), strings.Repeat("\x03", 60), strings.Repeat("\x01\x02\x03", 30),
		"\x03\x40HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", strings.Repeat("\x07\x01\x05", 50),
	}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	s := newTheater(f)
	f.Fuzz(func(t *testing.T, data []byte) { s.play(t, data) })
}

// TestStreams is FuzzStream over random bytes. PROTOCOLQ_STREAMS is how many (make stray).
func TestStreams(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	s := newTheater(t)
	data := make([]byte, 256)
	for n := range fromEnv(t, "PROTOCOLQ_STREAMS", 3_000) {
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		s.play(t, data[:random.IntN(len(data))])
		if t.Failed() {
			t.Fatalf("seed %d, stream %d", seed, n)
		}
	}
	if s.both == 0 || s.none == 0 {
		t.Errorf("%d times both answers, %d times none: nothing is tested", s.both, s.none)
	}
}

// play runs one stream and checks what must hold for it.
func (s *theater) play(t *testing.T, data []byte) {
	c := choices(data)
	first := &scripted{}
	before := c.stray()
	first.stages = append(first.stages, stage{says: c.split(before)})
	clean := [2]bool{before == "", true} // which questions must get an answer: nothing else would be right
	for n := range 2 {
		text, whole, closes := c.answer(signedBody)
		behind, cut := c.stray(), c.of(4) == 3
		now := stage{ends: closes || cut}
		text += behind
		if cut {
			text = text[:(c.of(256)*256+c.of(256))%len(text)]
		}
		now.says = c.split(text)
		if late := c.stray(); late != "" && !cut {
			now.says = append(append(now.says, segment{pause: true}), c.split(late)...)
			if closes { // a body that ends with the connection has not ended
				behind += late
			}
		}
		first.stages = append(first.stages, now)
		clean[n] = clean[n] && whole && behind == "" && !cut
		if n == 0 && !clean[0] {
			clean[1] = true // over a connection of its own
			break
		}
	}
	second := &scripted{stages: []stage{{}, {says: []segment{{bytes: rightAnswer}}}}}
	s.next = []*scripted{first, second}
	defer second.Close() // the client may still keep them
	defer first.Close()
	for n, got := range []gateway.Status{s.ask(t), s.ask(t)} {
		switch {
		case got != "" && got != gateway.Signed:
			t.Errorf("answer %d is %q, of an account that has signed", n+1, got)
		case got == "" && clean[n]:
			t.Errorf("answer %d is none, of a clean stream", n+1)
		case got == "":
			s.none++
		case n == 1:
			s.both++
		}
	}
}

// FuzzSplit checks that the cuts of a stream change nothing: what is believed in pieces is believed
// in one piece, and is the same.
func FuzzSplit(f *testing.F) {
	seeds := []string{rightAnswer, strayAnswer, rightAnswer + strayAnswer, "HTTP/1.1 100 Continue\r\n\r\n" + strayAnswer,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n69\r\n" + signedBody + "\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\n" + signedBody, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nNope"}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add([]byte(s), []byte{1, 0, 9, 1, 0, 40})
	}
	s := newTheater(f)
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		ask := func(parts []segment) gateway.Status {
			c := &scripted{stages: []stage{{}, {says: parts, ends: true}}}
			s.next = []*scripted{c}
			defer c.Close()
			return s.ask(t)
		}
		whole := ask([]segment{{bytes: string(stream)}})
		c := choices(cuts)
		if split := ask(c.split(string(stream))); split != "" && split != whole {
			t.Fatalf("in pieces %q, in one %q", split, whole)
		}
	})
}
