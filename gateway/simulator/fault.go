// Every fault of the practice gateway, by name.

package simulator

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is a fault that calls get with a probability.
type Fault struct {
	// Name is one of [FaultNames].
	Name string
	// Probability is above 0 and at most 1.
	Probability float64
	// For is the duration, for a fault that has one; its own default when zero.
	For time.Duration
}

// A fault does one thing wrong. If its answer can still be read, the call log holds that answer,
// else "none".
type fault struct {
	does  string
	pause time.Duration // default duration, for a fault that has one
	play  func(*stage)
}

const long = 24 * time.Hour

var faults = map[string]fault{
	"delay":         {"answers late", 2 * time.Second, late},
	"hang":          {"takes the request and never answers", long, hang},
	"drop":          {"closes the connection without an answer", 0, drop},
	"reset":         {"resets the connection (RST)", 0, reset},
	"half-body":     {"closes the connection within the body", 0, halfBody},
	"slow-drip":     {"sends one byte an interval", time.Second, slowDrip},
	"endless":       {"a body without an end", 0, endless},
	"gzip-bomb":     {"200 KB of gzip that become 200 MB", 0, gzipBomb},
	"huge-headers":  {"1 MiB of headers", 0, hugeHeaders},
	"interim":       {"10,000 responses of status 103 before the answer", 0, interim},
	"500":           {"an HTML page with status 500", 0, page(500)},
	"502":           {"an HTML page with status 502", 0, page(502)},
	"503":           {"an HTML page with status 503", 0, page(503)},
	"404":           {"an HTML page with status 404", 0, page(404)},
	"429":           {"an HTML page with status 429", 0, page(429)},
	"429-after":     {"status 429 with Retry-After in seconds", 2 * time.Second, notBefore(429, inSeconds)},
	"429-date":      {"status 429 with Retry-After as a date", 2 * time.Second, notBefore(429, asDate)},
	"503-after":     {"status 503 with Retry-After in seconds", 2 * time.Second, notBefore(503, inSeconds)},
	"503-date":      {"status 503 with Retry-After as a date", 2 * time.Second, notBefore(503, asDate)},
	"html":          {"an HTML page with status 200", 0, page(200)},
	"redirect-301":  {"a redirect to another host", 0, redirect(301)},
	"redirect-302":  {"a redirect to another host", 0, redirect(302)},
	"redirect-303":  {"a redirect to another host", 0, redirect(303)},
	"redirect-307":  {"a redirect to another host, which keeps the body", 0, redirect(307)},
	"redirect-308":  {"a redirect to another host, which keeps the body", 0, redirect(308)},
	"system-error":  {"the code SYSTEM_ERROR", 0, systemError},
	"signed-answer": {"no fault: the answer is signed", 0, signedAnswer},
	"bad-sign":      {"an answer signed by somebody else", 0, badSign},
	"p":             {"is_success P", 0, notYet},
	"gbk-label":     {"utf-8 bytes that call themselves GBK", 0, gbkLabel},
	"utf8-label":    {"GBK bytes that call themselves utf-8", 0, utf8Label},
	"utf-16":        {"the answer in utf-16", 0, utf16Answer},
	"duplicate":     {"a second, other is_success", 0, duplicate},
	"second-root":   {"a second, other document behind the first", 0, secondRoot},
	"wrong-root":    {"a root that is not alipay", 0, wrongRoot},
	"prefixed":      {"a second is_success with a prefix", 0, prefixed},
	"doctype":       {"a DOCTYPE with an entity", 0, doctype},
	"truncated":     {"half the XML, as a whole body", 0, truncated},
	"garbage":       {"bytes that are nothing", 0, garbage},
	"empty":         {"no body", 0, empty},
	"other-account": {"the answer for another account, which says so", 0, otherAccount},
}

// FaultNames lists the faults, sorted.
func FaultNames() []string { return slices.Sorted(maps.Keys(faults)) }

// FaultDoes says in a few words what a fault does, "" for an unknown name.
func FaultDoes(name string) string { return faults[name].does }

// ParseFault reads NAME[=DURATION][:PROBABILITY], such as "system-error:0.05" or "delay=300ms:0.1".
// The default probability is 1.
func ParseFault(text string) (Fault, error) {
	f := Fault{Probability: 1}
	rest, odds, given := strings.Cut(text, ":")
	if given {
		p, err := strconv.ParseFloat(odds, 64)
		if err != nil {
			return Fault{}, fmt.Errorf("fault %q: its probability is not a number", text)
		}
		f.Probability = p
	}
	name, duration, given := strings.Cut(rest, "=")
	if given {
		d, err := time.ParseDuration(duration)
		if err != nil {
			return Fault{}, fmt.Errorf("fault %q: its time is not a duration such as 300ms", text)
		}
		f.For = d
	}
	f.Name = name
	return f, f.check()
}

func (f Fault) check() error {
	if _, ok := faults[f.Name]; !ok {
		return fmt.Errorf("fault %q is not one of %s", f.Name, strings.Join(FaultNames(), ", "))
	}
	if !(f.Probability > 0 && f.Probability <= 1) { // so that NaN is refused too
		return fmt.Errorf("fault %s: probability %v is not above 0 and at most 1", f.Name, f.Probability)
	}
	if f.For < 0 {
		return fmt.Errorf("fault %s: its time is negative", f.Name)
	}
	return nil
}

// misfortune draws whether this call gets one of the faults that are given as an option. Each call
// for an account draws anew, so that a retry may succeed.
func (s *Simulator) misfortune(q question, index uint64) (string, time.Duration) {
	for _, f := range s.options.Faults {
		if chance(s.options.Seed, index, f.Name, q.partnerID, q.key) < f.Probability {
			return f.Name, f.For
		}
	}
	return "", 0
}
