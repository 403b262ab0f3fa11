// A filter, in the form and in the address. An address holds no e-mail, account or key; instead it
// has the look-up id by which the log finds them.

package queries

import (
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"protocolq/cmd/protocolq/cli"
	"protocolq/cmd/protocolq/settings"
	"protocolq/messages"
	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// Filter is the filter of an address.
type Filter struct {
	database.Filter

	Span         string // "1h", "24h", "7d", "30d", "" for all
	Since, Until string // as typed; they take precedence over Span
	Slow         string // "1s"
}

// The choices of the form.
var (
	spans    = []string{"1h", "24h", "7d", "30d"}
	slownes  = []string{"500ms", "1s", "2s", "5s", "10s", "30s"}
	outcomes = []string{string(messages.Signed), string(messages.NotSigned), string(messages.Abnormal),
		string(messages.Refused), string(messages.Unknown)}
	kinds = []string{"auto", "email", "account", "key", "id"}
)

// mostIDs bounds the look-up ids of one person in the log.
const mostIDs = 16

// mostText bounds one value of an address.
const mostText = 600

var errFilter = errors.New("not a filter that this page writes")

// parse reads a filter from an address strictly: an unknown value must not look as if it were
// applied.
func parse(v url.Values, now time.Time) (f Filter, err error) {
	for name, list := range v {
		if len(list) != 1 && name != "id" || len(list) > mostIDs || len(strings.Join(list, "")) > mostText*len(list) {
			return f, errFilter
		}
	}
	f.Partner, f.Outcome, f.Code, f.Run = v.Get("partner"), v.Get("outcome"), v.Get("code"), v.Get("run")
	f.Span, f.Since, f.Until, f.Slow = v.Get("span"), v.Get("since"), v.Get("until"), v.Get("slow")
	f.Requests = v["id"]
	if f.Outcome != "" && !slices.Contains(outcomes, f.Outcome) || f.Span != "" && !slices.Contains(spans, f.Span) ||
		f.Partner != "" && settings.CheckPartnerID(f.Partner) != nil {
		return f, errFilter
	}
	for name, ids := range map[string]*[]querylog.LookUp{"email": &f.Emails, "account": &f.Accounts, "key": &f.Keys} {
		if *ids, err = lookUps(v.Get(name)); err != nil {
			return f, err
		}
	}
	if f.Slow != "" {
		if f.Filter.Slow, err = time.ParseDuration(f.Slow); err != nil || f.Filter.Slow <= 0 {
			return f, errFilter
		}
	}
	since := f.Since
	if since == "" {
		since = f.Span
	}
	if f.Filter.Since, err = cli.ParseWhen(since, now); err == nil {
		f.Filter.Until, err = cli.ParseWhen(f.Until, now)
	}
	if err == nil {
		err = f.Check()
	}
	return f, err
}

// lookUps reads look-up ids in hex, separated by commas.
func lookUps(text string) (ids []querylog.LookUp, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		var id querylog.LookUp
		if len(part) != hex.EncodedLen(len(id)) {
			return nil, errFilter
		}
		if _, err := hex.Decode(id[:], []byte(part)); err != nil {
			return nil, errFilter
		}
		ids = append(ids, id)
	}
	if len(ids) > mostIDs {
		return nil, errFilter
	}
	return ids, nil
}

// Values returns the filter as it stands in an address.
func (f Filter) Values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	for name, ids := range map[string][]querylog.LookUp{"email": f.Emails, "account": f.Accounts, "key": f.Keys} {
		set(name, hexes(ids))
	}
	for _, id := range f.Requests {
		v.Add("id", id)
	}
	set("partner", f.Partner)
	set("outcome", f.Outcome)
	set("code", f.Code)
	set("run", f.Run)
	set("span", f.Span)
	set("since", f.Since)
	set("until", f.Until)
	set("slow", f.Slow)
	return v
}

func hexes(ids []querylog.LookUp) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.String()
	}
	return strings.Join(all, ",")
}

// Somebody reports whether the filter is for one person, key or id.
func (f Filter) Somebody() string {
	switch {
	case len(f.Emails) > 0:
		return "email"
	case len(f.Accounts) > 0:
		return "account"
	case len(f.Keys) > 0:
		return "key"
	case len(f.Requests) > 0:
		return "id"
	case f.Run != "":
		return "run"
	}
	return ""
}

// Faults of what the reader typed, each a text of the page.
const (
	faultNoKey      = "queries.fault.nokey"
	faultKeyPartner = "queries.fault.keypartner"
	faultFilter     = "queries.fault.filter"
)

// typed makes a filter of the text in the search field.
func (f *Filter) typed(kind, text string, h *querylog.Hasher) (fault string) {
	if text = strings.TrimSpace(text); text == "" {
		return ""
	}
	if kind == "auto" || kind == "" {
		kind = guess(text)
	}
	f.Emails, f.Accounts, f.Keys, f.Requests, f.Run = nil, nil, nil, nil, ""
	if kind == "id" {
		f.Requests = h.Requests(text)
		return ""
	}
	switch {
	case h == nil:
		return faultNoKey
	case kind == "email":
		f.Emails = h.Emails(text)
	case kind == "account":
		f.Accounts = h.Accounts(text)
	case kind == "key" && f.Partner == "":
		return faultKeyPartner
	case kind == "key":
		f.Keys = h.Keys(messages.Query{Partner: f.Partner, Key: text}.KeyToken())
	default:
		return faultFilter
	}
	return ""
}

// guess decides what a text most likely is.
func guess(text string) string {
	digits := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsDigit(r) }) < 0
	switch {
	case strings.ContainsAny(text, "@＠"), digits && len(text) == 11: // a login is an e-mail or a mobile number
		return "email"
	case digits && len(text) >= 16:
		return "account"
	}
	return "id"
}
