// Limits tries to sign in, for each account and from each address.

package access

import "time"

// Failed tries allowed in five minutes. Many people can share an address, but not an account.
const (
	triesSpan    = 5 * time.Minute
	triesAccount = 5
	triesAddress = 30
	triesNames   = 20_000
)

// Throttle bounds tries to sign in.
type Throttle struct{ accounts, addresses *Rates }

// NewThrottle returns a Throttle that has counted no try.
func NewThrottle() *Throttle {
	return &Throttle{NewRates(triesSpan, triesNames), NewRates(triesSpan, triesNames)}
}

// Try counts one try, or returns how long to wait before the next. It counts before the password is
// checked, so that simultaneous tries are bounded, too.
func (t *Throttle) Try(account, address string, now time.Time) (wait time.Duration) {
	if wait := t.addresses.Take(address, triesAddress, now); wait > 0 {
		return wait
	}
	if len(account) > mostName {
		account = "" // no user has so long a name: all such names count as one
	}
	return t.accounts.Take(account, triesAccount, now)
}

// Passed reports a try with the right password. The tries of the account are forgotten. Those of
// the address are not: otherwise one account would allow unlimited guesses at others.
func (t *Throttle) Passed(account string) { t.accounts.Forget(account) }
