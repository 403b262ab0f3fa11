// What a code means, who must act, and whether asking again helps: in English and Chinese.

// Package explain says what an operator or an asker wants to know about a code of the gateway, its
// client or the worker. The packages that use a code have the tables of what it means and what to
// do; this package adds who has to do it.
package explain

import (
	"cmp"
	"slices"
	"strings"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker"
)

// Actor is who must act.
type Actor string

// The actors.
const (
	Nobody   Actor = "nobody"
	Asker    Actor = "asker"    // who wrote the program that asks
	Operator Actor = "operator" // who runs workers, servers and the network between
	Partner  Actor = "partner"  // who holds the contract with Alipay: key, account, permissions
	Author   Actor = "author"   // who writes protocolq
)

// Entry is everything about one code.
type Entry struct {
	worker.Words

	// Known is false for a code in no table, for which there is only general advice.
	Known bool `json:"known"`
	// Outcome is that of the Result which carries the code.
	Outcome messages.Outcome `json:"outcome"`
	// Who must act.
	Who Actor `json:"who"`
	// WhoEN and WhoZH name the actor to a person.
	WhoEN string `json:"who_en"`
	WhoZH string `json:"who_zh"`
	// AgainEN and AgainZH say whether asking again helps.
	AgainEN string `json:"again_en"`
	AgainZH string `json:"again_zh"`
}

// Find explains a code. For a code in no table it gives general advice.
func Find(code string) Entry {
	w, known := worker.Lookup(code)
	e := Entry{Words: w, Known: known, Outcome: outcomeOf(w), Who: actorOf(w)}
	who, again := actors[e.Who], againOf(w)
	e.WhoEN, e.WhoZH, e.AgainEN, e.AgainZH = who.en, who.zh, again.en, again.zh
	return e
}

// Codes lists every code that has its own entry, sorted.
func Codes() []string {
	list := append(messages.Codes(), gateway.Codes()...)
	for _, c := range mapi.Codes() {
		list = append(list, c.Name)
	}
	slices.SortFunc(list, strings.Compare)
	return slices.Compact(list)
}

// All explains every code that has its own entry, sorted by code.
func All() []Entry {
	list := make([]Entry, 0, len(Codes()))
	for _, code := range Codes() {
		list = append(list, Find(code))
	}
	return list
}

// said is one phrase in two languages.
type said struct{ en, zh string }

var actors = map[Actor]said{
	Nobody:   {"nobody", "无需处理"},
	Asker:    {"whoever asks: the program that sent the query", "查询方：发出查询的程序"},
	Operator: {"the operators: workers, NATS and the network to the gateway", "运维人员：worker、NATS 以及到网关的网络"},
	Partner:  {"whoever holds the partner's account and key, with Alipay", "合作者账户与密钥的负责人，与支付宝一起处理"},
	Author:   {"the authors of protocolq", "protocolq 的开发者"},
}

// own says who must act on a code whose class does not say it.
var own = map[string]Actor{
	messages.Overloaded:     Operator,
	messages.CoolingDown:    Nobody,
	messages.PartnerHalted:  Partner,
	messages.DeadlinePassed: Asker,
	messages.Crashed:        Asker,
	messages.Paused:         Operator,
	messages.Forgotten:      Asker,
	gateway.CodeNoPartner:   Operator,
	gateway.CodeCharset:     Asker,
	"SYSTEM_ERROR":          Nobody,
	"UNKNOWN_EXCEPTION":     Nobody,
	"GENERIC_FAILURE":       Nobody,
	"SESSION_TIMEOUT":       Nobody,
	"ILLEGAL_SWITCH_SYSTEM": Nobody,
}

func actorOf(w worker.Words) Actor {
	byClass := map[mapi.Class]Actor{mapi.Biz: Nobody, mapi.Input: Asker, mapi.Conf: Partner, mapi.Bug: Author,
		mapi.Temp: Operator, mapi.Unlisted: Operator}
	return cmp.Or(own[w.Code], byClass[w.Class])
}

var (
	final      = said{"no: this is the answer", "无需：这就是查询结果"}
	notAsIs    = said{"no: the same query gets the same refusal", "没有用：同样的查询会得到同样的拒绝"}
	notUntil   = said{"no: every query of the partner fails alike until it is corrected", "没有用：更正之前，该合作者的所有查询都会失败"}
	notByUs    = said{"no: only a corrected program helps", "没有用：只有更正程序才有帮助"}
	notSettled = said{"no: nothing says that it would help, and a person should look first", "不确定：请先由人工核实"}
	yesOurs    = said{"yes, after retry_after_ms", "可以，等待 retry_after_ms 之后"}
	yesWorkers = said{"yes: the workers have asked as often as attempts allows; ask again after retry_after_ms",
		"可以：worker 已按 attempts 的次数重试过；等待 retry_after_ms 之后再查询"}
	notForgotten = said{"no, unless somebody wants this person's answer anew", "没有用，除非确有新的需要"}
)

func againOf(w worker.Words) said {
	_, ours := messages.LookupCode(w.Code)
	switch {
	case w.Code == messages.Forgotten:
		return notForgotten
	case ours && w.Retryable:
		return yesOurs
	case w.Retryable:
		return yesWorkers
	}
	return map[mapi.Class]said{mapi.Biz: final, mapi.Input: notAsIs, mapi.Conf: notUntil, mapi.Bug: notByUs,
		mapi.Unlisted: notSettled}[w.Class]
}

// outcomeOf is the outcome that a Result with this code has.
func outcomeOf(w worker.Words) messages.Outcome {
	if o, ours := messages.OutcomeOf(w.Code); ours {
		return o
	}
	switch {
	case w.Code == "NO_SIGN_CUSTOMER":
		return messages.NotSigned
	case w.Class == mapi.Biz:
		return messages.Abnormal
	}
	return worker.ResultOf(gateway.Answer{}, &gateway.Error{Code: w.Code, Class: w.Class}).Outcome
}
