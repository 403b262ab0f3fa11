// Package simulator is the practice gateway: an http.Handler that behaves like the real gateway,
// strictly.
//
// It answers query_customer_protocol like the gateway at /gateway.do: it checks the request by the
// appendix of the gateway's owner (table 3-1), verifies the signature, and answers with HTTP 200
// and a flat XML document. On demand it also shows every fault that a gateway or the network in
// front of it is known to have. It keeps an append-only log of the calls, so that a test can count
// them without trusting the program that made them.
//
// The account in the query decides the answer (see [ScenarioNames] and scenario.go), never chance:
// two simulators with the same seed give the same answers to the same calls, in any order of the
// calls for different accounts.
//
// Its call log holds e-mails and accounts unmasked. It is for practice data.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"protocolq/gateway/mapi"
)

// Path is the only path the gateway answers at.
const Path = "/gateway.do"

// Options are the simulator's partners and behaviour. The zero value of a field is its default.
type Options struct {
	// Partners are the platforms that may ask; at least one.
	Partners []Partner
	// AccountParam is the wire name of the account number; "trans_account" when empty.
	AccountParam string
	// Seed decides the mix of answers, the jitter and the faults drawn by probability.
	Seed uint64
	// Latency is added to every answer, plus a part of Jitter drawn by the seed.
	Latency, Jitter time.Duration
	// Faults hit calls by probability. A fault named in an e-mail has precedence.
	Faults []Fault
	// RedirectTo is where the redirect faults send the client. When empty it is a name that does not
	// resolve.
	RedirectTo string
	// KeepCalls bounds the call log, 1,000,000 when zero. Beyond it the oldest are dropped
	// and counted.
	KeepCalls int
	// Logger logs faults in the simulator itself; nil discards.
	Logger *slog.Logger
}

// Partner is one platform that may ask.
type Partner struct {
	// ID is 2088 and 12 more digits.
	ID string
	// Key is the partner's signing key; only its sign type is accepted.
	Key mapi.Key
	// Charset, if set, is the only one in which the partner may ask.
	Charset mapi.Charset
	// AnswerKey signs answers; Key when zero.
	AnswerKey mapi.Key
	// SignAnswers signs every success, as some services of the gateway do.
	SignAnswers bool
}

// Simulator is one practice gateway. It starts nothing by itself; [Simulator.Serve]
// puts it on listeners. Safe for concurrent use.
type Simulator struct {
	options  Options
	partners map[string]*partner
	log      *callLog
	logger   *slog.Logger
	lastConn atomic.Uint64
}

type partner struct {
	Partner
	verifier mapi.Verifier
}

// New checks all options at once, and returns a simulator.
func New(o Options) (*Simulator, error) {
	s := &Simulator{options: o, partners: map[string]*partner{}, logger: o.Logger}
	var faults []error
	if len(o.Partners) == 0 {
		faults = append(faults, errors.New("simulator: no partner"))
	}
	for i, p := range o.Partners {
		if err := s.admit(p); err != nil {
			faults = append(faults, fmt.Errorf("simulator: partner %d: %w", i+1, err))
		}
	}
	for _, f := range o.Faults {
		if err := f.check(); err != nil {
			faults = append(faults, fmt.Errorf("simulator: %w", err))
		}
	}
	if o.Latency < 0 || o.Jitter < 0 {
		faults = append(faults, errors.New("simulator: latency and jitter must not be negative"))
	}
	if o.KeepCalls < 0 {
		faults = append(faults, errors.New("simulator: KeepCalls must not be negative"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	s.setDefaults()
	return s, nil
}

func (s *Simulator) setDefaults() {
	if s.options.AccountParam == "" {
		s.options.AccountParam = "trans_account"
	}
	if s.options.RedirectTo == "" {
		s.options.RedirectTo = "https://elsewhere.invalid/gateway.do"
	}
	if s.options.KeepCalls == 0 {
		s.options.KeepCalls = 1_000_000
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.log = newCallLog(s.options.KeepCalls)
}

func (s *Simulator) admit(p Partner) error {
	if err := mapi.CheckPartner(p.ID); err != nil {
		return fmt.Errorf("its id %w", err)
	}
	if _, twice := s.partners[p.ID]; twice {
		return fmt.Errorf("%s is given twice", p.ID)
	}
	if p.Key.IsZero() {
		return fmt.Errorf("%s has no key", p.ID)
	}
	if p.AnswerKey.IsZero() {
		p.AnswerKey = p.Key
	}
	s.partners[p.ID] = &partner{Partner: p, verifier: p.Key.Verifier()}
	return nil
}

// ServeHTTP is the gateway: it reads one request, logs it, and answers, or misbehaves as the
// account demands.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost && r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	q, refusal := s.read(r)
	call := s.log.begin(q, connOf(r.Context()))
	// Deferred, because the faults that cut the connection leave by net/http's own panic.
	defer s.log.end(call)
	if refusal != "" {
		s.tell(w, call, q, reply{code: refusal})
		return
	}
	scene := s.sceneOf(q, call.index)
	call.Fault = scene.fault
	if !wait(r.Context(), s.latency(q, call.index)) {
		call.Answer = clientLeft
		return
	}
	if scene.fault != "" {
		f := faults[scene.fault]
		if scene.pause == 0 {
			scene.pause = f.pause
		}
		f.play(&stage{s: s, w: w, r: r, q: q, call: call, scene: scene})
		return
	}
	s.tell(w, call, q, scene.reply)
}

// reply writes a true answer and logs it.
func (s *Simulator) tell(w http.ResponseWriter, c *openCall, q question, a reply) {
	body, err := s.render(q, a)
	if err != nil {
		s.logger.Error("answer not rendered", "err", err)
		http.Error(w, "simulator: answer not rendered", http.StatusInternalServerError)
		return
	}
	writeXML(w, body)
	c.told(a)
}

func (s *Simulator) latency(q question, index uint64) time.Duration {
	d := s.options.Latency
	if s.options.Jitter > 0 {
		d += time.Duration(draw(s.options.Seed, index, "jitter", q.partnerID, q.key) % uint64(s.options.Jitter))
	}
	return d
}

// wait returns false if the client left before the time was over.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

type connKey struct{}

// ConnContext numbers the connections in the call log. Set it in the http.Server that serves the
// simulator, if that is not [Simulator.Serve].
func (s *Simulator) ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, s.lastConn.Add(1))
}

func connOf(ctx context.Context) uint64 {
	id, _ := ctx.Value(connKey{}).(uint64)
	return id
}
