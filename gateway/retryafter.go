// Retry-After: how long the gateway wants to be left alone, in whatever way it says so.

package gateway

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"protocolq/gateway/mapi"
)

// refused is the error of a status that is no answer. Only 429 and 503 say when to come back
// (RFC 6585 section 4, RFC 9110 section 15.6.4).
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
// milliseconds as most is, no more than most, and 0 where it asks for nothing that can be read or
// that is still to come. Of several headers the longest counts: a proxy may add its own to the
// gateway's.
//
// A date is compared with the response's own Date: the two are of one clock, which need not be
// right. Without a Date it is compared with now.
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
	// A floor must not be cut short by those who count in milliseconds.
	return (min(longest, most) + time.Millisecond - 1).Truncate(time.Millisecond)
}

// seconds reads digits, as the standard has them, and digits with a fraction, which some servers
// write: it is rounded up to a second. What does not fit is most.
func seconds(value string, most time.Duration) (time.Duration, bool) {
	whole, fraction, pointed := strings.Cut(value, ".")
	if !digits(whole) || pointed && !digits(fraction) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n > int64(most/time.Second) { // of digits only the range is wrong
		return most, true
	}
	d := time.Duration(n) * time.Second
	if strings.Trim(fraction, "0") != "" {
		d += time.Second
	}
	return min(d, most), true
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
