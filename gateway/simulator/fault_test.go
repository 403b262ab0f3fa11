// Every fault does what its name says, over real sockets.

package simulator_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

// seen is what a patient client sees of one call.
type seen struct {
	status  int
	header  http.Header
	body    []byte // at most 300 KiB
	err     error  // of the round trip
	readErr error
	took    time.Duration
}

// reads is the answer as mapi reads it, or "unreadable".
func (s seen) reads(t *testing.T) string {
	t.Helper()
	if _, err := mapi.ParseAnswer(s.body); err != nil {
		return "unreadable"
	}
	return told(t, s.body)
}

func isPage(status int) func(*testing.T, seen) bool {
	return func(_ *testing.T, s seen) bool {
		return s.status == status && strings.HasPrefix(string(s.body), "<html>")
	}
}

func turnsAway(status int, retryAfter string) func(*testing.T, seen) bool {
	return func(t *testing.T, s seen) bool {
		return isPage(status)(t, s) && s.header.Get("Retry-After") == retryAfter
	}
}

// turnsAwayUntil checks the time, counted from the response's own Date.
func turnsAwayUntil(status int, pause time.Duration) func(*testing.T, seen) bool {
	return func(t *testing.T, s seen) bool {
		date, err := http.ParseTime(s.header.Get("Date"))
		until, uerr := http.ParseTime(s.header.Get("Retry-After"))
		return isPage(status)(t, s) && err == nil && uerr == nil && until.Sub(date) == pause
	}
}

func isRedirect(status int) func(*testing.T, seen) bool {
	return func(_ *testing.T, s seen) bool {
		return s.status == status && s.header.Get("Location") == "https://elsewhere.invalid/gateway.do"
	}
}

func isUnreadable(t *testing.T, s seen) bool {
	return s.status == 200 && s.err == nil && s.readErr == nil && s.reads(t) == "unreadable"
}

func isDeadline(_ *testing.T, s seen) bool { return errors.Is(s.err, context.DeadlineExceeded) }

func is(answer string) func(*testing.T, seen) bool {
	return func(t *testing.T, s seen) bool { return s.status == 200 && s.reads(t) == answer }
}

func fellBack(t *testing.T, s seen) bool {
	a, err := mapi.ParseAnswer(s.body)
	return err == nil && a.FellBack() && s.reads(t) == "T T T"
}

func verifies(as mapi.Verification) func(*testing.T, seen) bool {
	return func(t *testing.T, s seen) bool {
		a, err := mapi.ParseAnswer(s.body)
		v, _ := a.Verify(md5Key.Verifier(), mapi.UTF8)
		return err == nil && v == as && s.reads(t) == "T T T"
	}
}

// expectations has an entry for every fault; the log's answer is "none" by default.
var expectations = map[string]struct {
	as     string // the local part, if it needs a time
	answer string // in the call log
	shows  func(*testing.T, seen) bool
}{
	"delay": {as: "fault-delay-60ms", answer: "signed", shows: func(t *testing.T, s seen) bool {
		return s.took >= 60*time.Millisecond && s.reads(t) == "T T T"
	}},
	"hang":  {shows: isDeadline},
	"drop":  {shows: func(_ *testing.T, s seen) bool { return errors.Is(s.err, io.EOF) }},
	"reset": {shows: func(_ *testing.T, s seen) bool { return errors.Is(s.err, syscall.ECONNRESET) }},
	"half-body": {shows: func(_ *testing.T, s seen) bool {
		return errors.Is(s.readErr, io.ErrUnexpectedEOF) && len(s.body) > 50
	}},
	"slow-drip": {as: "fault-slow-drip-1ms", answer: "signed", shows: func(t *testing.T, s seen) bool {
		return s.took >= time.Duration(len(s.body))*time.Millisecond && s.reads(t) == "T T T"
	}},
	"endless": {shows: func(_ *testing.T, s seen) bool { return len(s.body) == 300<<10 }},
	"gzip-bomb": {shows: func(_ *testing.T, s seen) bool {
		return s.header.Get("Content-Encoding") == "gzip" && len(s.body) > 200_000 && len(s.body) < 300_000
	}},
	"huge-headers":  {shows: func(_ *testing.T, s seen) bool { return len(s.header) > 1000 }},
	"interim":       {shows: func(_ *testing.T, s seen) bool { return s.err != nil || s.status == 200 }},
	"404":           {shows: isPage(404)},
	"429":           {shows: isPage(429)},
	"429-after":     {as: "fault-429-after-1500ms", shows: turnsAway(429, "2")},
	"429-date":      {as: "fault-429-date-90s", shows: turnsAwayUntil(429, 90*time.Second)},
	"500":           {shows: isPage(500)},
	"502":           {shows: isPage(502)},
	"503":           {shows: isPage(503)},
	"503-after":     {shows: turnsAway(503, "2")},
	"503-date":      {shows: turnsAwayUntil(503, 2*time.Second)},
	"html":          {shows: isPage(200)},
	"redirect-301":  {shows: isRedirect(301)},
	"redirect-302":  {shows: isRedirect(302)},
	"redirect-303":  {shows: isRedirect(303)},
	"redirect-307":  {shows: isRedirect(307)},
	"redirect-308":  {shows: isRedirect(308)},
	"system-error":  {answer: "SYSTEM_ERROR", shows: is("SYSTEM_ERROR")},
	"signed-answer": {answer: "signed", shows: verifies(mapi.Verified)},
	"bad-sign":      {shows: verifies(mapi.Bad)},
	"p":             {answer: "p", shows: is("P")},
	"gbk-label":     {answer: "signed", shows: fellBack},
	"utf8-label":    {answer: "signed", shows: fellBack},
	"utf-16":        {shows: isUnreadable},
	"duplicate":     {shows: isUnreadable},
	"second-root":   {shows: isUnreadable},
	"wrong-root":    {shows: isUnreadable},
	"prefixed":      {shows: isUnreadable},
	"doctype":       {shows: isUnreadable},
	"truncated":     {shows: isUnreadable},
	"garbage":       {shows: isUnreadable},
	"empty":         {shows: isUnreadable},
	"other-account": {shows: func(_ *testing.T, s seen) bool {
		a, err := mapi.ParseAnswer(s.body)
		email, _ := a.Request("user_email")
		return err == nil && email == "somebody.else@example.com"
	}},
}

func TestEveryFault(t *testing.T) {
	for _, name := range simulator.FaultNames() {
		t.Run(name, func(t *testing.T) {
			want, ok := expectations[name]
			if !ok {
				t.Fatal("no expectation")
			}
			if simulator.FaultDoes(name) == "" {
				t.Error("does not say what it does")
			}
			as := want.as
			if as == "" {
				as = "fault-" + name
			}
			if want.answer == "" {
				want.answer = "none"
			}
			s := newSimulator(t, nil)
			gateway, _ := serve(t, s)
			got := look(t, gateway, as+"-1+x@example.com")
			if !want.shows(t, got) {
				t.Errorf("status %d, error %v, read error %v, %d bytes: %.300q", got.status, got.err, got.readErr, len(got.body), got.body)
			}
			again := look(t, gateway, as+"-1+x@example.com")
			if again.err != nil || again.reads(t) != "T T T" {
				t.Errorf("the second call: %v %q", again.err, again.body)
			}
			// The faulty call may end after the good one, as the gateway sees it.
			ended(t, s, 2)
			for _, c := range s.Calls() {
				if c.Fault == name && c.Answer != want.answer && c.Answer != "client-left" {
					t.Errorf("logged as %q, want %q", c.Answer, want.answer)
				}
				if c.Fault == name && c.Conclusive != (want.answer == "signed") {
					t.Errorf("logged as conclusive: %v", c.Conclusive)
				}
			}
		})
	}
}

// ended waits until so many calls are over.
func ended(t *testing.T, s *simulator.Simulator, n uint64) {
	t.Helper()
	for s.Stats().Calls < n {
		select {
		case <-t.Context().Done():
			t.Fatal("calls do not end")
		case <-time.After(time.Millisecond):
		}
	}
}

func look(t *testing.T, gateway, email string) seen {
	t.Helper()
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 4 << 20}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	if strings.Contains(email, "hang") {
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	}
	defer cancel()
	req := post(t, gateway+"/gateway.do?_input_charset=utf-8", form(t, query(mapi.UTF8, email, ""), mapi.UTF8))
	start := time.Now()
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return seen{err: err}
	}
	defer resp.Body.Close()
	s := seen{status: resp.StatusCode, header: resp.Header}
	s.body, s.readErr = io.ReadAll(io.LimitReader(resp.Body, 300<<10))
	s.took = time.Since(start)
	return s
}

// TestFaultsWithoutNetwork compares the simulator's own round trip with the network's.
func TestFaultsWithoutNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulator(t, nil)
		ask := func(name string) (*http.Response, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			t.Cleanup(cancel)
			req := post(t, action+"utf-8", form(t, query(mapi.UTF8, "fault-"+name+"@example.com", ""), mapi.UTF8))
			return s.RoundTrip(req.WithContext(ctx))
		}
		for name, want := range map[string]error{
			"drop": io.ErrUnexpectedEOF, "reset": io.ErrUnexpectedEOF, "hang": context.DeadlineExceeded,
		} {
			if _, err := ask(name); !errors.Is(err, want) { //nolint:bodyclose // there is no answer to close
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, want := range map[string]error{
			"half-body": io.ErrUnexpectedEOF, "slow-drip": context.DeadlineExceeded, "html": nil,
		} {
			resp, err := ask(name)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := io.ReadAll(resp.Body); !errors.Is(err, want) {
				t.Errorf("%s: reading: %v", name, err)
			}
			_ = resp.Body.Close()
		}
		resp, err := ask("endless")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); n != 1<<20 || err != nil {
			t.Errorf("endless: %d, %v", n, err)
		}
		_ = resp.Body.Close()
		synctest.Wait() // a running handler would keep the bubble from ending
	})
}

func TestFaultByProbability(t *testing.T) {
	count := func(seed uint64) (hit int, answers string) {
		s := newSimulator(t, func(o *simulator.Options) {
			o.Seed = seed
			o.Faults = []simulator.Fault{{Name: "system-error", Probability: 0.2}}
		})
		for i := range 1000 {
			got := told(t, askRaw(t, s, mapi.UTF8, "signed+"+string(rune('a'+i%26))+"@example.com", ""))
			if got == "SYSTEM_ERROR" {
				hit++
			}
			answers += got[:1]
		}
		return hit, answers
	}
	hit, one := count(7)
	if hit < 140 || hit > 260 {
		t.Errorf("%d of 1000", hit)
	}
	if _, again := count(7); again != one {
		t.Error("the same seed, other faults")
	}
	if _, other := count(8); other == one {
		t.Error("another seed, the same faults")
	}
}

func TestParseFault(t *testing.T) {
	for text, want := range map[string]simulator.Fault{
		"drop":              {Name: "drop", Probability: 1},
		"502:0.05":          {Name: "502", Probability: 0.05},
		"delay=300ms:0.1":   {Name: "delay", Probability: 0.1, For: 300 * time.Millisecond},
		"redirect-307:0.25": {Name: "redirect-307", Probability: 0.25},
	} {
		if got, err := simulator.ParseFault(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "earthquake", "drop:", "drop:0", "drop:1.1", "drop:NaN", "delay=soon", "delay=-1s"} {
		if _, err := simulator.ParseFault(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
