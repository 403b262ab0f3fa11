// Retry-After: how long the gateway asks to wait, in any of its forms.

package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"protocolq/gateway/mapi"
)

// refused is the error for a status that is no answer. Only 429 and 503 say when to come back (RFC
// 6585 section 4, RFC 9110 section 15.6.4).
func refused(a reply, most time.Duration) *Error {
	e := fail(CodeHTTP+strconv.Itoa(a.status), mapi.Temp, nil)
	if a.status != http.StatusTooManyRequests && a.status != http.StatusServiceUnavailable {
		return e
	}
	if e.RetryAfter = retryAfter(a.header, time.Now(), most); e.RetryAfter > 0 {
		e.Err = fmt.Errorf("asks to be left alone for %s", e.RetryAfter)
	}
	return e
}

// retryAfter is how long the header asks to wait from now on (RFC 9110 section 10.2.3), in whole
// milliseconds like most, and at most most. It is 0 if the header asks for nothing readable, or for
// a time in the past. Of several headers the longest counts: a proxy may add its own to the
// gateway's.
//
// A date is compared with the response's own Date: both are from the same clock, which may be
// wrong. Without a Date it is compared with now.
func retryAfter(h http.Header, now time.Time, most time.Duration) time.Duration {
	if date, err := http.ParseTime(strings.TrimSpace(h.Get("Date"))); err == nil {
		now = date
	}
	var longest time.Duration
	for _, value := range h["Retry-After"] {
		value = strings.TrimSpace(value)
		d, ok := seconds(value, most)
		if !ok {
			until, err := http.ParseTime(value)
			if err != nil {
				continue
			}
			d = until.Sub(now)
		}
		longest = max(longest, d)
	}
	// Rounding down to milliseconds must not shorten the wait.
	return (min(longest, most) + time.Millisecond - 1).Truncate(time.Millisecond)
}

// seconds reads digits, as in the standard, or digits with a fraction, which some servers write: it
// is rounded up to a second. A value that is too large is most.
func seconds(value string, most time.Duration) (time.Duration, bool) {
	whole, fraction, pointed := strings.Cut(value, ".")
	if !digits(whole) || pointed && !digits(fraction) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > int64(most/time.Second) { // for digits only the range can be wrong
		return most, true
	}
	d := time.Duration(n) * time.Second
	if strings.Trim(fraction, "0") != "" {
		d += time.Second
	}
	return min(d, most), true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
