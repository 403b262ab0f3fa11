// Limits the tries to sign in, for each account and from each address.

package access

import "time"

// Tries that may fail in five minutes. Many people can share an address, nobody an account.
const (
	triesSpan    = 5 * time.Minute
	triesAccount = 5
	triesAddress = 30
	triesNames   = 20_000
)

// Throttle bounds tries to sign in.
type Throttle struct{ accounts, addresses *Rates }

// NewThrottle has seen no try.
func NewThrottle() *Throttle {
	return &Throttle{NewRates(triesSpan, triesNames), NewRates(triesSpan, triesNames)}
}

// Try counts one try, or says how long to wait before the next. It is counted before the password
// is looked at, so that many at once are bounded, too.
func (t *Throttle) Try(account, address string, now time.Time) (wait time.Duration) {
	if wait := t.addresses.Take(address, triesAddress, now); wait > 0 {
		return wait
	}
	if len(account) > mostName {
		account = "" // nobody's, as are all that are so long
	}
	return t.accounts.Take(account, triesAccount, now)
}

// Passed is said of a try with the right password: the account's tries are forgotten, those of the
// address are not, or one account would open the way for guesses at others.
func (t *Throttle) Passed(account string) { t.accounts.Forget(account) }
