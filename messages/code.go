// The codes of our own program, in addition to those of the gateway, with texts for a person.

package messages

// Our own codes, as in Result.Code. Those up to TooLarge are refusals: no call was made, and to ask
// the same again gives the same. The others come with the outcome unknown, and for all but
// Forgotten it helps to ask again.
const (
	BadRequest     = "BAD_REQUEST"
	KeyConflict    = "KEY_CONFLICT"
	ReplyRefused   = "REPLY_REFUSED"
	NotAllowed     = "NOT_ALLOWED"
	TooLarge       = "TOO_LARGE"
	Overloaded     = "OVERLOADED"
	CoolingDown    = "COOLING_DOWN"
	PartnerHalted  = "PARTNER_HALTED"
	DeadlinePassed = "DEADLINE"
	Crashed        = "CRASHED"
	Paused         = "PAUSED"
	Forgotten      = "FORGOTTEN"
)

// Code is one of our own codes with texts for a person, in English and Chinese.
type Code struct {
	Name string
	// Outcome is the outcome of results with the code: Refused or Unknown.
	Outcome Outcome
	// MeaningEN and MeaningZH say what happened.
	MeaningEN, MeaningZH string
	// DoEN and DoZH say what to do about it.
	DoEN, DoZH string
}

// codes are our own, refusals first.
var codes = [...]Code{
	{BadRequest, Refused, "the query cannot be read or a field is wrong", "查询无法解析，或某个字段有误",
		"correct it and ask again", "更正后再查询"},
	{KeyConflict, Refused, "this key was used for another question", "该 key 已用于另一个查询",
		"give each question its own key", "请为每个查询使用各自的 key"},
	{ReplyRefused, Refused, "the reply subject is not allowed", "不允许使用该回复主题",
		"use an inbox or a subject the worker lists", "请使用 inbox，或 worker 设置中列出的主题"},
	{NotAllowed, Refused, "this asker may not ask for this partner, or no worker serves it",
		"该查询方无权以此合作者的身份查询，或没有 worker 配置了此合作者",
		"ask on the subject of your own partner; a new partner must be configured first", "请在自己合作者的主题上查询；新的合作者须先配置"},
	{TooLarge, Refused, "the message is larger than 64 KiB", "消息超过 64 KiB",
		"send less meta", "请减少 meta 的内容"},
	{Overloaded, Unknown, "the workers are full", "worker 已满负荷",
		"ask again after retry_after_ms", "等待 retry_after_ms 之后重新查询"},
	{CoolingDown, Unknown, "the gateway gave no answer a moment ago, or wants no calls for a while",
		"网关刚才没有给出应答，或要求暂缓调用，正处于冷却期",
		"ask again after retry_after_ms", "等待 retry_after_ms 之后重新查询"},
	{PartnerHalted, Unknown, "calls for this partner are halted until its settings are corrected",
		"该合作者的调用已暂停，直到其设置得到更正",
		"ask again after retry_after_ms", "等待 retry_after_ms 之后重新查询"},
	{DeadlinePassed, Unknown, "the deadline passed before there was an answer", "在截止时间之前没有得到应答",
		"ask again with a later one", "请设定更晚的截止时间后重新查询"},
	{Crashed, Unknown, "the worker that asked died before it stored the answer", "发起调用的 worker 在保存应答之前已终止",
		"ask again", "请重新查询"},
	{Paused, Unknown, "the operators have paused the intake of queries", "运维人员已暂停受理查询",
		"ask again after retry_after_ms", "等待 retry_after_ms 之后重新查询"},
	{Forgotten, Unknown, "the operators had this person forgotten, and with them this query", "运维人员已要求清除此人的查询，本查询也在其中",
		"ask for this person again only if somebody newly needs it", "仅在确有新的需要时才再查询此人"},
}

// Retryable reports whether asking the same again later can help, as in Result.Retryable. A program
// must not ask again about a person who is to be forgotten.
func (c Code) Retryable() bool { return c.Outcome == Unknown && c.Name != Forgotten }

// Codes lists our own codes: refusals first.
func Codes() []string {
	names := make([]string, len(codes))
	for i, c := range codes {
		names[i] = c.Name
	}
	return names
}

// LookupCode finds one of our own codes; ok is false for any other code (the gateway's codes have
// their own table).
func LookupCode(code string) (c Code, ok bool) {
	for i := range codes {
		if codes[i].Name == code {
			return codes[i], true
		}
	}
	return Code{}, false
}

// Message is the short English text of one of our own codes, "" for any other.
func Message(code string) string {
	c, ok := LookupCode(code)
	if !ok {
		return ""
	}
	return c.MeaningEN + "; " + c.DoEN
}

// OutcomeOf is the outcome of one of our own codes; ok is false for any other code.
func OutcomeOf(code string) (o Outcome, ok bool) {
	c, ok := LookupCode(code)
	return c.Outcome, ok
}
