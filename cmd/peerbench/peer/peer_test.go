// What the baselines share: outcomes, and one call for those who ask at once.
package peer_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/cmd/peerbench/gw"
	"protocolq/cmd/peerbench/payload"
	"protocolq/cmd/peerbench/peer"
)

func TestFromAnswer(t *testing.T) {
	for _, c := range []struct {
		answer  *gw.Answer
		err     error
		outcome string
		code    string
	}{
		{&gw.Answer{IsSuccess: "T", ChargeAgent: "T", RefundCharge: "F"}, nil, payload.Signed, ""},
		{&gw.Answer{IsSuccess: "T", ChargeAgent: "F", RefundCharge: "F"}, nil, payload.NotSigned, ""},
		{&gw.Answer{IsSuccess: "T", ChargeAgent: "F"}, nil, payload.Unknown, ""},
		{&gw.Answer{IsSuccess: "F", Error: "NO_SIGN_CUSTOMER"}, nil, payload.NotSigned, "NO_SIGN_CUSTOMER"},
		{&gw.Answer{IsSuccess: "F", Error: "NO_NORMAL_SIGN_CUSTOMER"}, nil, payload.Abnormal, "NO_NORMAL_SIGN_CUSTOMER"},
		{&gw.Answer{IsSuccess: "F", Error: "ILLEGAL_SIGN"}, nil, payload.Refused, "ILLEGAL_SIGN"},
		{&gw.Answer{IsSuccess: "F", Error: "SYSTEM_ERROR"}, gw.ErrTransient, payload.Unknown, "SYSTEM_ERROR"},
		{nil, errors.New("no connection"), payload.Unknown, "GATEWAY_ERROR"},
	} {
		if r := peer.FromAnswer(c.answer, c.err); r.Outcome != c.outcome || r.Code != c.code {
			t.Errorf("%+v, %v: %s %s", c.answer, c.err, r.Outcome, r.Code)
		}
	}
}

func TestSharedJoinsAndRemembers(t *testing.T) {
	for ttl, want := range map[time.Duration]int64{0: 3, time.Minute: 2} {
		synctest.Test(t, func(t *testing.T) {
			s := peer.Shared{TTL: ttl}
			var calls atomic.Int64
			ask := func() {
				if r := s.Do("key", func() payload.Result {
					calls.Add(1)
					time.Sleep(time.Second)
					return payload.Result{Outcome: payload.Signed}
				}); r.Outcome != payload.Signed {
					t.Errorf("answer %+v", r)
				}
			}
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(ask)
			}
			wg.Wait()
			ask() // remembered, or asked again
			time.Sleep(time.Minute)
			ask() // forgotten
			if calls.Load() != want {
				t.Errorf("remembered for %v: %d calls, want %d", ttl, calls.Load(), want)
			}
		})
	}
}
