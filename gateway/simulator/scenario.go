// Which account plays which part: the names of the practice accounts.
//
// An e-mail's scenario is its local part up to the first "+", "." or "@", in any case. The rest
// makes distinct accounts with the same scenario:
//
//	signed@example.com            signed, both flags T
//	signed+17@example.com         another account, the same answer
//	张三@example.com              signed; a login that needs its charset right
//	debit-only@… refund-only@…    one flag T
//	not-signed@…                  is_success T, both flags F
//	no-sign-customer@…            the code NO_SIGN_CUSTOMER; so with every code of the
//	                              table: lower case, "-" for "_"
//	abnormal@… unknown@…          NO_NORMAL_SIGN_CUSTOMER, ILLEGAL_EMAIL
//	p@… flag-missing@…            is_success P; a success that has only charge_agent
//	unlisted@…                    a code that is in no table
//	wrapped@…                     signed, in the wrapped and signed form of other services
//	system-error@…                always SYSTEM_ERROR
//	system-error-2@…              the first 2 calls of that e-mail, then signed; "-n" works
//	                              after every name
//	fault-drop@…                  the fault of that name, always (see fault.go)
//	fault-drop-1+x@…              the first call only, then signed
//	fault-delay-300ms@…           a fault that takes a time, with the time;
//	fault-delay-300ms-1@…         both together
//	fault-429-after-90s-1@…       turned away for 90 s (Retry-After), the first call only
//
// An account number (16 to 20 digits, else ILLEGAL_ACCOUNT_NO) that does not end in 0156, as the
// real ones do, plays a part by its last four digits:
//
//	9901 signed · 9902 debit-only · 9903 refund-only · 9904 not-signed
//	9905 no-sign-customer · 9906 abnormal · 9907 illegal-account-no · 9908 system-error
//	9909 p · 9910 unlisted · 9911 flag-missing · 97nn the first nn calls SYSTEM_ERROR
//
// If both are given the e-mail's part counts, if it has one. Any other account plays signed,
// debit-only, refund-only, not-signed, no-sign-customer or abnormal (70, 8, 7, 6, 6 and 3 in a
// hundred) by a hash of the seed and the account, in any case.

package simulator

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"protocolq/gateway/mapi"
)

// scene is what one call gets.
type scene struct {
	reply reply
	fault string        // "" or a name of faults
	pause time.Duration // duration, for a fault that has one; 0: the fault's default
	first uint64        // 0: every call; n: the first n calls of the account, then signed
}

var plainly = map[string]reply{
	"signed":       {isSuccess: "T", charge: "T", refund: "T"},
	"张三":           {isSuccess: "T", charge: "T", refund: "T"},
	"debit-only":   {isSuccess: "T", charge: "T", refund: "F"},
	"refund-only":  {isSuccess: "T", charge: "F", refund: "T"},
	"not-signed":   {isSuccess: "T", charge: "F", refund: "F"},
	"flag-missing": {isSuccess: "T", charge: "T"},
	"p":            {isSuccess: "P"},
	"unlisted":     {code: "ILLEGAL_WEATHER"},
	"abnormal":     {code: "NO_NORMAL_SIGN_CUSTOMER"},
	"unknown":      {code: "ILLEGAL_EMAIL"},
	"wrapped":      {isSuccess: "T", charge: "T", refund: "T", wrapped: true, signed: true},
}

// scenes has every scenario by name.
var scenes = func() map[string]reply {
	all := maps.Clone(plainly)
	for _, c := range mapi.Codes() {
		all[strings.ReplaceAll(strings.ToLower(c.Name), "_", "-")] = reply{code: c.Name}
	}
	for name, r := range all {
		r.name = name
		all[name] = r
	}
	return all
}()

var accountScenes = map[string]string{
	"9901": "signed", "9902": "debit-only", "9903": "refund-only", "9904": "not-signed",
	"9905": "no-sign-customer", "9906": "abnormal", "9907": "illegal-account-no",
	"9908": "system-error", "9909": "p", "9910": "unlisted", "9911": "flag-missing",
}

// mix is the parts of accounts without a part of their own, with their chances in a hundred.
var mix = []struct {
	upTo uint64
	name string
}{
	{70, "signed"}, {78, "debit-only"}, {85, "refund-only"}, {91, "not-signed"},
	{97, "no-sign-customer"}, {100, "abnormal"},
}

// ScenarioNames lists the possible beginnings of an e-mail's local part, sorted. Every name can
// have "-n" for "the first n calls, then signed".
func ScenarioNames() []string { return slices.Sorted(maps.Keys(scenes)) }

// sceneOf decides the scene of an account's call with that number (from 0).
func (s *Simulator) sceneOf(q question, index uint64) scene {
	sc, plays := scene{}, false
	if q.email != "" {
		sc, plays = sceneOfEmail(q.email)
	}
	if !plays && q.account != "" {
		sc, plays = sceneOfAccount(q.account)
	}
	if !plays {
		sc.reply = scenes[s.mixed(q.key)]
	}
	if sc.first > 0 && index >= sc.first {
		return scene{reply: scenes["signed"]}
	}
	if sc.fault == "" {
		sc.fault, sc.pause = s.misfortune(q, index)
	}
	return sc
}

func (s *Simulator) mixed(key string) string {
	n := draw(s.options.Seed, 0, "mix", strings.ToLower(key)) % 100
	for _, m := range mix {
		if n < m.upTo {
			return m.name
		}
	}
	return "signed"
}

// sceneOfEmail returns false for an e-mail that plays no part.
func sceneOfEmail(email string) (scene, bool) {
	part := email
	if end := strings.IndexAny(email, "+.@"); end >= 0 {
		part = email[:end]
	}
	part = strings.ToLower(part)
	if name, ok := strings.CutPrefix(part, "fault-"); ok {
		return sceneOfFault(name)
	}
	if r, ok := scenes[part]; ok {
		return scene{reply: r}, true
	}
	name, first, ok := cutCount(part)
	r, known := scenes[name]
	return scene{reply: r, first: first}, ok && known
}

// sceneOfFault reads NAME[-duration][-n]. Names may end in digits themselves (502), so it tries the
// whole text first.
func sceneOfFault(text string) (scene, bool) {
	sc := scene{reply: scenes["signed"]}
	for range 3 {
		if _, ok := faults[text]; ok {
			sc.fault = text
			return sc, true
		}
		if name, n, ok := cutCount(text); ok && sc.first == 0 && sc.pause == 0 {
			text, sc.first = name, n
			continue
		}
		i := strings.LastIndexByte(text, '-')
		if i < 0 {
			break
		}
		d, err := time.ParseDuration(text[i+1:])
		if err != nil || d <= 0 {
			break
		}
		text, sc.pause = text[:i], d
	}
	return scene{}, false
}

// cutCount removes "-n" from the end, with n at least 1.
func cutCount(text string) (string, uint64, bool) {
	i := strings.LastIndexByte(text, '-')
	if i < 0 {
		return text, 0, false
	}
	n, err := strconv.ParseUint(text[i+1:], 10, 32)
	if err != nil || n == 0 {
		return text, 0, false
	}
	return text[:i], n, true
}

func sceneOfAccount(account string) (scene, bool) {
	if len(account) < 16 || len(account) > 20 || !digits(account) {
		return scene{reply: scenes["illegal-account-no"]}, true
	}
	last := account[len(account)-4:]
	if name, ok := accountScenes[last]; ok {
		return scene{reply: scenes[name]}, true
	}
	if n, _ := strconv.ParseUint(last, 10, 32); n > 9700 && n < 9800 {
		return scene{reply: scenes["system-error"], first: n - 9700}, true
	}
	return scene{}, false
}
