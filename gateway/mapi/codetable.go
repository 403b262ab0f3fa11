// The table of the gateway's error codes, in two languages.

package mapi

import (
	"slices"
	"strings"
)

// advice is what to do, written once for all codes with the same advice.
type advice struct{ en, zh string }

var (
	answered  = advice{"this is the answer; ask again when the customer may have signed", "这就是查询结果；客户签约后可再查询"}
	checkUser = advice{
		"correct the e-mail or account in the query, then ask again",
		"更正查询中的邮箱或账号后再查询"}
	checkInput = advice{
		"correct the parameters of the query, then ask again",
		"更正查询参数后再查询"}
	askAgain = advice{
		"stop everything that would follow and ask again after a while; the query may have succeeded and been lost " +
			"on the way",
		"停止后续一切操作，稍后重新查询；查询可能已成功，只是结果在途中丢失"}
	later    = advice{"ask again after a while", "稍后重新查询"}
	checkKey = advice{
		"check the partner's key, signature type (sign-type) and charset in the settings, with the sign and verify " +
			"commands",
		"检查该合作者的密钥、签名类型与编码设置，可用 sign 与 verify 命令核对"}
	checkContract = advice{
		"check the partner's account, contract and permissions with Alipay; every query of this partner fails until " +
			"then",
		"与支付宝核对该合作者的账户、签约与权限；在此之前该合作者的所有查询都会失败"}
	checkCharset = advice{
		"check the partner's charset in the settings: utf-8, gbk or gb2312, in the URL and in the body alike",
		"检查该合作者的编码设置：utf-8、gbk 或 gb2312，网址与正文中须一致"}
	checkPhishing = advice{
		"have Alipay check the anti-phishing settings of the partner's account: this service needs none",
		"请支付宝检查该合作者账户的防钓鱼设置：本接口不需要这类设置"}
	report = advice{
		"report it as a fault of this program, with the version and the time of the query",
		"请作为本程序的缺陷上报，并附版本与查询时间"}
)

func code(name string, class Class, en, zh string, do advice) Code {
	return Code{name, class, en, zh, do.en, do.zh}
}

// codes is sorted by name; the source lists it by class. The first group are the codes of this
// service (the gateway owner's appendix, table 3-1, 错误码处理). The others are codes of the gateway,
// for every service.
var codes = sortedByName(
	code("NO_SIGN_CUSTOMER", Biz, "the customer has not signed", "没签约的客户", answered),
	code("NO_NORMAL_SIGN_CUSTOMER", Biz, "the customer has signed, but the agreement's state is not normal", "签约状态不正常",
		advice{"this is the answer: the agreement cannot be used as it is", "这就是查询结果：该协议目前不可用"}),
	code("ILLEGAL_EMAIL", Input, "no Alipay account has this e-mail", "该邮箱不是支付宝账号", checkUser),
	code("ILLEGAL_ACCOUNT_NO", Input, "no Alipay account has this number", "不合法账号，不是支付宝账号", checkUser),
	code("NULL_EMAIL_AND_ACCOUNT_NO", Input, "neither e-mail nor account was given", "查询的用户账户和邮箱不能同时为空",
		advice{"give an e-mail, an account or both", "请提供邮箱或账号，至少一个"}),
	code("ILLEGAL_BIZ_TPYE", Bug, "biz_type is not 10004", "非法的业务类型，必须为 10004", report),
	code("ILLEGAL_BIZ_TYPE", Bug, "biz_type is not 10004", "非法的业务类型，必须为 10004", report),
	code("NOT_AIR_PLANE_PARTNER", Conf, "the partner has no airline-ticket contract", "没有开通机票业务或者没有签署机票协议",
		advice{"check with Alipay that this partner has signed the airline-ticket contract", "确认该合作者是否已签署机票协议"}),

	code("SYSTEM_ERROR", Temp, "an error inside the gateway", "支付宝系统错误", askAgain),
	code("UNKNOWN_EXCEPTION", Temp, "an unknown exception at the gateway", "未知异常", askAgain),
	code("GENERIC_FAILURE", Temp, "a general failure at the gateway", "执行失败", askAgain),
	code("SESSION_TIMEOUT", Temp, "the session at the gateway has timed out", "会话超时", later),
	code("ILLEGAL_SWITCH_SYSTEM", Temp, "the gateway could not switch between its systems", "系统切换异常", later),

	code("ILLEGAL_SIGN", Conf, "the signature is wrong", "签名不正确", checkKey),
	code("ILLEGAL_SIGN_TYPE", Conf, "the signature type is wrong for the partner", "签名类型不正确", checkKey),
	code("ILLEGAL_DYN_MD5_KEY", Conf, "the partner's dynamic MD5 key is wrong", "动态密钥信息错误", checkKey),
	code("ILLEGAL_ENCRYPT", Conf, "the encryption is wrong", "加密不正确", checkKey),
	code("ILLEGAL_SECURITY_PROFILE", Conf, "the partner's security profile does not match the request", "安全配置不匹配",
		checkKey),
	code("HAS_NO_PUBLICKEY", Conf, "the partner has given Alipay no public key", "没有上传公钥",
		advice{"upload the partner's public key to Alipay", "请向支付宝上传该合作者的公钥"}),

	code("ILLEGAL_PARTNER", Conf, "the partner id is wrong", "合作者身份不正确", checkContract),
	code("ILLEGAL_PARTNER_EXTERFACE", Conf, "the partner does not have this service", "合作者未开通此接口", checkContract),
	code("ILLEGAL_EXTERFACE", Conf, "the service's settings at the gateway are wrong", "接口配置不正确", checkContract),
	code("HAS_NO_PRIVILEGE", Conf, "the partner has no permission for this service", "没有权限访问该服务", checkContract),
	code("HASH_NO_PRIVILEGE", Conf, "the partner has no permission for this service", "没有权限访问该服务", checkContract),
	code("ILLEGAL_CLIENT_IP", Conf, "this client's address is not allowed", "客户端 IP 地址无权访问", checkContract),
	code("ILLEGAL_AGENT", Conf, "the agent is wrong", "代理信息不正确", checkContract),
	// These two, and ILLEGAL_TARGET_SERVICE below, are listed with SYSTEM_ERROR in public lists
	// (系统错误). That says where in the gateway they arise, not that asking again helps: they name no
	// account, so that every query of the partner gets them. As Conf, the partner is halted and one
	// probe a minute finds out when the service is open; as Temp, each question would be asked five
	// times.
	code("ILLEGAL_ACCESS_SWITCH_SYSTEM", Conf, "the partner may not use this system", "不允许访问该系统", checkContract),
	code("EXTERFACE_IS_CLOSED", Conf, "the service is closed", "接口已关闭", checkContract),

	code("ILLEGAL_CHARSET", Conf, "the charset is wrong", "字符集不合法", checkCharset),
	code("INVALID_CHARACTER_SET", Conf, "the charset is wrong", "字符集无效", checkCharset),
	code("ILLEGAL_ENCODING", Conf, "the encoding is wrong", "编码不正确", checkCharset),

	code("ILLEGAL_SERVICE", Bug, "there is no such service", "接口名称不正确", report),
	// target_service is for services that pass a request on to another. This program never sends it,
	// so that neither a setting nor waiting helps.
	code("ILLEGAL_TARGET_SERVICE", Bug, "the target service is wrong", "目标服务不正确", report),
	code("ILLEGAL_DIGEST", Bug, "the digest is wrong", "文件摘要不正确", report),
	code("ILLEGAL_DIGEST_TYPE", Bug, "the digest's type is wrong", "文件摘要类型不正确", report),
	code("ILLEGAL_FILE_FORMAT", Bug, "the file's format is wrong", "文件格式不正确", report),

	code("ILLEGAL_USER", Input, "the user is wrong", "用户信息不正确", checkUser),
	code("ILLEGAL_ARGUMENT", Input, "a parameter is wrong", "参数不正确", checkInput),
	code("PARAMTER_IS_NULL", Input, "a required parameter is empty", "必填参数为空", checkInput),
	code("ILLEGAL_LENGTH", Input, "a parameter's length is wrong", "参数长度不合法", checkInput),
	code("REGEXP_MATCH_FAIL", Input, "a parameter does not match its pattern", "参数与正则表达式不匹配", checkInput),
	code("ILLEGAL_NUMBER_FORMAT", Input, "a number's format is wrong", "数字格式不合法", checkInput),
	code("ILLEGAL_INTEGER_FORMAT", Input, "a whole number's format is wrong", "整数格式不合法", checkInput),
	code("ILLEGAL_MONEY_FORMAT", Input, "an amount's format is wrong", "金额格式不合法", checkInput),
	code("ILLEGAL_DATA_FORMAT", Input, "a parameter's data format is wrong", "数据格式不合法", checkInput),

	code("ILLEGAL_REQUEST_REFERER", Conf, "the page the request came from is not allowed", "请求来源地址不被允许", checkPhishing),
	code("ILLEGAL_ANTI_PHISHING_KEY", Conf, "the anti-phishing timestamp is wrong", "防钓鱼时间戳不正确", checkPhishing),
	code("ANTI_PHISHING_KEY_TIMEOUT", Conf, "the anti-phishing timestamp has expired", "防钓鱼时间戳已超时", checkPhishing),
	code("ILLEGAL_EXTER_INVOKE_IP", Conf, "the calling address of the anti-phishing check is wrong", "防钓鱼检查的调用 IP 不正确",
		checkPhishing),
)

func sortedByName(table ...Code) []Code {
	slices.SortFunc(table, func(a, b Code) int { return strings.Compare(a.Name, b.Name) })
	return table
}
