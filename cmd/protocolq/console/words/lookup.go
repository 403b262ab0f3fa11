// What the look-up says, in the words of customer service.

package words

var lookUp = map[string]Said{
	"lookup.nav":   {"Look up", "查询"},
	"lookup.title": {"Has this customer signed?", "客户是否已签约？"},
	"lookup.lead": {"See whether the agreement for automatic deduction and refund is there.",
		"查询客户是否已签署自动扣款与退款的三方协议。"},
	"lookup.field":       {"Alipay account", "支付宝账号"},
	"lookup.placeholder": {"E-mail, phone or account number", "邮箱、手机号或支付宝账户号"},
	"lookup.partner":     {"Asking for", "查询主体"},
	"lookup.default":     {"Default partner", "默认合作者"},
	"lookup.do":          {"Look up", "查询"},
	"lookup.recent":      {"Your look-ups", "最近查询"},
	"lookup.none":        {"Your look-ups are listed here for twelve hours.", "您的查询会在此保留 12 小时。"},
	"lookup.under":       {"Asking", "查询中"},

	"lookup.empty": {"Type the customer's e-mail, phone or account number.", "请输入客户的邮箱、手机号或支付宝账户号。"},
	"lookup.wrong": {"This is no e-mail address, phone number or account number (16 to 20 digits). Check it and " +
		"try again.", "这不是有效的邮箱、手机号或支付宝账户号（16 至 20 位数字），请核对后重试。"},
	"lookup.often": {"You have used your look-ups of this minute. Wait %s, then try again.",
		"本分钟的查询次数已用完，请等待 %s 后重试。"},
	"lookup.full":       {"Very many look-ups are under way. Try again in a moment.", "当前查询过多，请稍后重试。"},
	"lookup.foreign":    {"You may not ask for this partner.", "您无权以该合作者的身份查询。"},
	"lookup.again.gone": {"The account of this look-up is no longer kept. Type it again.", "本次查询的账号已不再保留，请重新输入。"},

	"answer.both":       {"Signed for deduction and refund", "已签约，可扣款、可退款"},
	"answer.debit":      {"Signed for deduction only", "已签约，仅可扣款"},
	"answer.refund":     {"Signed for refund only", "已签约，仅可退款"},
	"answer.neither":    {"Signed, but for neither deduction nor refund", "已签约，但扣款与退款均未开通"},
	"answer.untold":     {"Signed", "已签约"},
	"answer.not_signed": {"Not signed, or terminated", "未签约或已解约"},
	"answer.abnormal":   {"Signed, but not usable at present", "已签约，但目前不可用"},
	"answer.nobody":     {"Alipay has no such account", "支付宝没有此账号"},
	"answer.refused":    {"This could not be asked", "无法查询"},
	"answer.unknown":    {"Not known yet", "暂时无法确定"},
	"answer.asking":     {"Asking Alipay", "正在向支付宝查询"},

	"answer.both.do": {"The agreement is in order. If a refund or a deduction failed all the same, the reason " +
		"is another one: pass the case on with the link to this page.", "协议正常。若退款或扣款仍然失败，原因不在签约：请附上本页链接转交处理。"},
	"answer.debit.do": {"Amounts can be deducted, refunds cannot be made by the agreement. Refund by another " +
		"way, or ask the customer to sign for refunds, too, and then ask again.",
		"可以扣款，但不能按协议退款。请改用其他方式退款，或请客户补签退款协议后重新查询。"},
	"answer.refund.do": {"Refunds can be made, amounts cannot be deducted. Ask the customer to pay in another " +
		"way, or to sign for deductions, too, and then ask again.", "可以退款，但不能扣款。请客户改用其他方式付款，或补签扣款协议后重新查询。"},
	"answer.neither.do": {"Neither can be done by this agreement. Ask the customer to sign again, then ask again.",
		"该协议下扣款与退款均不可用。请客户重新签约后再查询。"},
	"answer.untold.do": {"Alipay did not say for what. Ask again now; if it stays, pass the case on with the " +
		"link to this page.", "支付宝未说明签约范围。请立即重新查询；若仍如此，请附上本页链接转交处理。"},
	"answer.not_signed.do": {"Deductions and refunds fail until the customer signs. Ask the customer to sign in " +
		"Alipay (again, if it was ended), then ask again here.", "客户签约之前，扣款和退款都会失败。请客户在支付宝签约（如已解约则重新签约），之后再在此查询。"},
	"answer.abnormal.do": {"Deductions and refunds fail for now. Ask the customer to look at the agreement in " +
		"Alipay; if nothing is wrong there, pass the case on with the link to this page.",
		"目前扣款和退款都会失败。请客户在支付宝查看协议状态；若无异常，请附上本页链接转交处理。"},
	"answer.nobody.do": {"Compare what you typed with what the customer uses in Alipay, then look it up again.",
		"请与客户核对其支付宝登录账号，更正后重新查询。"},
	"answer.refused.do": {"Check what you typed. If it is right, pass the case on with the link to this page.",
		"请核对输入内容。若无误，请附上本页链接转交处理。"},
	"answer.unknown.do": {"This is not a no: nobody could find out just now. Promise the customer nothing, and " +
		"ask again.", "这不代表未签约：只是刚才没有查到结果。请勿据此答复客户，稍后重新查询。"},
	"answer.unknown.later": {"This is not a no: nobody could find out just now. Promise the customer nothing, and " +
		"ask again in %s.", "这不代表未签约：只是刚才没有查到结果。请勿据此答复客户，%s后重新查询。"},
	"answer.unknown.help": {"Asking again does not help before somebody has looked: pass the case on with the link " +
		"to this page.", "重新查询没有用，需先由人工处理：请附上本页链接转交。"},
	"answer.asking.do": {"Alipay has not answered yet. You can wait here or come back later: the link to this " +
		"page keeps the answer.", "支付宝尚未答复。可在此等待，也可稍后回来：本页链接会保留结果。"},
	"answer.asking.for": {"%s so far, at most %s", "已等待 %s，最多 %s"},
	"answer.next":       {"What to do", "怎么办"},

	"answer.deduction":  {"Deduction", "扣款"},
	"answer.refunding":  {"Refund", "退款"},
	"answer.yes":        {"Signed", "已签约"},
	"answer.no":         {"Not signed", "未签约"},
	"answer.not_told":   {"Not told", "未说明"},
	"answer.fresh":      {"Asked Alipay %s", "%s向支付宝查询"},
	"answer.remembered": {"Remembered from %s", "%s的查询结果"},
	"answer.old": {"May have changed since. Ask again if the customer has just signed.",
		"此后可能已变化。若客户刚刚签约，请重新查询。"},
	"answer.again":      {"Ask again now", "立即重新查询"},
	"answer.again.wait": {"Ask again in % s", "% 秒后可重新查询"},
	"answer.another":    {"Look up another", "查询其他客户"},
	"answer.link":       {"Copy link", "复制链接"},
	"answer.print":      {"Print", "打印"},
	"answer.account":    {"Account", "账号"},
	"answer.by":         {"Looked up by", "查询人"},
	"answer.at":         {"Looked up", "查询时间"},
	"answer.asked_at":   {"Alipay's word of", "支付宝答复时间"},
	"answer.details":    {"For the support desk", "供技术支持使用"},
	"answer.code":       {"Code", "代码"},
	"answer.meaning":    {"Meaning", "含义"},
	"answer.advice":     {"For operators", "运维处理"},
	"answer.user_id":    {"Alipay user id", "支付宝用户号"},
	"answer.partner":    {"Partner", "合作者"},
	"answer.run":        {"Run", "运行号"},
	"answer.id":         {"Id", "编号"},
	"answer.story":      {"The whole story", "完整过程"},
	"answer.reload":     {"Refresh", "刷新"},
	"answer.unreached":  {"The service could not be reached.", "未能连接到查询服务。"},
}
