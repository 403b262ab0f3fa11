// What the pages of watches say.

package words

var watches = map[string]Said{
	"watches.nav":   {"Watches", "签约提醒"},
	"watches.title": {"Customers you watch", "签约提醒"},
	"watches.lead": {"Alipay is asked about them again: every hour for a day, then every six hours, for two weeks. " +
		"You are told here once one has signed.", "系统会代您再次向支付宝查询：首日每小时一次，之后每六小时一次，最长两周。客户签约后会在此提示。"},
	"watches.begin": {"Tell me when it is signed", "签约后提醒我"},
	"watches.news":  {"Customers you watched who have signed: %s", "您关注的客户已有 %s 位签约"},

	"watches.who":      {"Customer", "客户"},
	"watches.state":    {"State", "状态"},
	"watches.last":     {"Last answer", "最近答复"},
	"watches.when":     {"Time", "时间"},
	"watches.next":     {"Next:", "下次"},
	"watches.ended":    {"Ended:", "结束"},
	"watches.stop":     {"Stop watching", "取消提醒"},
	"watches.none.yet": {"not asked again yet", "尚未再次查询"},
	"watches.nobody":   {"(removed)", "（已清除）"},
	"watches.none": {"You watch nobody. Look a customer up: if the answer is no, or not known, " +
		"you can ask to be told later.", "暂无提醒。请先查询客户：若未签约或暂时无法确定，可设置签约后提醒。"},

	"watches.state.open":      {"Watching", "关注中"},
	"watches.state.signed":    {"Has signed", "已签约"},
	"watches.state.over":      {"Two weeks are over", "已满两周"},
	"watches.state.refused":   {"Cannot be asked", "无法查询"},
	"watches.state.lost":      {"Not yours to ask any more", "已无查询权限"},
	"watches.state.forgotten": {"The person was forgotten", "个人信息已清除"},

	"watches.note.begun":     {"You will be told here when this customer has signed.", "客户签约后，将在此提醒您。"},
	"watches.note.already":   {"You watch this customer already.", "您已在关注该客户。"},
	"watches.note.cancelled": {"This customer is watched no more.", "已取消对该客户的提醒。"},
	"watches.note.gone":      {"There is no such watch any more.", "该提醒已不存在。"},
	"watches.note.many": {"You watch as many customers as you may. Stop watching one of them first.",
		"您关注的客户已达上限，请先取消其中一个。"},
	"watches.note.day": {"You have begun as many watches as one day allows. Try again tomorrow.",
		"您今天设置的提醒已达上限，请明天再试。"},
	"watches.note.full": {"All users together watch as many customers as can be asked about. Try again another day.",
		"全部用户的提醒总数已达上限，请改日再试。"},

	"watches.fault.old": {"Nobody can be watched: that needs NATS servers of version 2.12 or later. Tell an operator.",
		"暂不支持签约提醒：需要 2.12 或更高版本的 NATS 服务器。请告知运维人员。"},
	"watches.fault.stream": {"Nobody can be watched: an operator has to run 'protocolq provision' once.",
		"暂不支持签约提醒：请运维人员运行一次 protocolq provision。"},
}
