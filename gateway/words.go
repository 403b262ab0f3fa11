// Texts for the client's own codes, in two languages, in addition to those of the gateway's table.

package gateway

import (
	"slices"
	"strconv"
	"strings"

	"protocolq/gateway/mapi"
)

// Lookup finds a code that an [Error] or an [Answer] can carry: one of the gateway's, or one of the
// client's own, including GATEWAY_HTTP_nnn with any status. For an unknown code it returns what
// [mapi.Lookup] returns: false, class Unlisted and general texts.
func Lookup(code string) (mapi.Code, bool) {
	if status, ok := strings.CutPrefix(code, CodeHTTP); ok {
		if n, err := strconv.Atoi(status); err == nil && 0 <= n && n <= 999 && strconv.Itoa(n) == status {
			return statusWords(n), true
		}
	}
	if i := slices.IndexFunc(words, func(c mapi.Code) bool { return c.Name == code }); i >= 0 {
		return words[i], true
	}
	return mapi.Lookup(code)
}

// said are the texts for one code: the meaning and what to do about it, each in English and
// Chinese.
type said struct{ en, zh, doEN, doZH string }

// Codes lists the client's own codes, and the statuses that have texts of their own.
func Codes() []string {
	list := make([]string, 0, len(words)+len(statuses))
	for _, c := range words {
		list = append(list, c.Name)
	}
	for _, s := range statuses {
		if s.from == s.to {
			list = append(list, CodeHTTP+strconv.Itoa(s.from))
		}
	}
	return list
}

func own(code string, class Class, s said) mapi.Code {
	return mapi.Code{Name: code, Class: class, MeaningEN: s.en, MeaningZH: s.zh, DoEN: s.doEN, DoZH: s.doZH}
}

// For a Temp code the texts also say what to check: with a wrong address or a closed firewall,
// every try fails in the same way.
var words = []mapi.Code{
	own(CodeTimeout, mapi.Temp, said{
		"the gateway gave no complete answer in time", "网关未在时限内返回完整应答",
		"ask again later; if it lasts, check firewall and proxy on the way to the gateway and how long a call may take",
		"稍后重新查询；若持续出现，请检查到网关途中的防火墙与代理，以及单次调用的时限设置"}),
	// One code covers an unknown name and a refused connection. A resolver that restarts, or that
	// serves other names inside a company, says "no such host" for a good name, too. So both may pass,
	// and both need the same check of the settings.
	own(CodeUnreachable, mapi.Temp, said{
		"no connection to the gateway: its name is not known, the connection was refused, or there is no route",
		"无法连接网关：域名无法解析，或连接被拒绝，或网络不通",
		"check the host in gateway-url, DNS, firewall and proxy settings, then ask again later",
		"请检查 gateway-url 中的域名、DNS、防火墙与代理设置，稍后重新查询"}),
	own(CodeTLS, mapi.Temp, said{
		"the TLS handshake failed: the certificate is for another name, not valid now or of an unknown authority, " +
			"both sides have no version or cipher in common, or the other side does not speak TLS",
		"TLS 握手失败：证书的域名、有效期或颁发机构不符，或双方没有共同的协议版本或加密套件，或对方不使用 TLS",
		"check gateway-url, this machine's clock and trusted authorities, and that proxies on the way let TLS 1.2 or " +
			"later through, then ask again later",
		"请检查 gateway-url、本机时钟与受信任的颁发机构，并确认途中的代理允许 TLS 1.2 或更高版本，稍后重新查询"}),
	own(CodeCut, mapi.Temp, said{
		"the connection ended before the answer did", "应答尚未结束，连接就已断开",
		"ask again later; if it lasts, check proxies and balancers before the gateway",
		"稍后重新查询；若持续出现，请检查网关之前的代理与负载均衡"}),
	own(CodeStray, mapi.Temp, said{
		"bytes that nobody asked for came before the question or after its answer, so the answer is not believed and " +
			"the connection is closed",
		"查询之前或应答之后出现了不属于本次查询的数据，该应答不予采信，连接已关闭",
		"ask again later; if it lasts, a proxy or balancer before the gateway mixes up connections",
		"稍后重新查询；若持续出现，说明网关之前的代理或负载均衡混淆了连接"}),
	own(CodeRedirect, mapi.Temp, said{
		"the gateway's address redirects to another one, which is never followed", "网关地址返回了重定向，本程序从不跟随重定向",
		"check gateway-url and proxies on the way, such as a login page of the network, then ask again later",
		"请检查 gateway-url 与途中的代理（例如网络登录页），稍后重新查询"}),
	own(CodeUnreadable, mapi.Temp, said{
		"what came back is not an answer to this query: it is not the gateway's XML, or it is for another request",
		"返回的内容不是本次查询的应答：不是网关的 XML，或属于另一个请求",
		"ask again later; if it lasts, see what comes back with protocolq call -v",
		"稍后重新查询；若持续出现，请用 protocolq call -v 查看返回的内容"}),
	own(CodeBadSign, mapi.Temp, said{
		"the answer's signature is not the gateway's, so the answer is not believed", "应答的签名不是网关的签名，该应答不予采信",
		"check the partner's key, the gateway's public key and proxies on the way, then ask again later",
		"请检查合作者密钥、网关公钥与途中的代理，稍后重新查询"}),
	own(CodeUnclear, mapi.Unlisted, said{
		"the gateway's answer can be read, but settles nothing", "网关的应答可以解析，但没有给出结论",
		"do not ask again by itself and do not read it as not signed; look the account up by hand, see the answer " +
			"with protocolq call -v",
		"不要自动重试，也不要当作未签约；请人工核实该账户，可用 protocolq call -v 查看应答"}),
	own(CodeNoPartner, mapi.Conf, said{
		"this partner is not configured here", "此处没有配置该合作者",
		"correct the field partner, or configure the partner with its key",
		"请更正 partner 字段，或配置该合作者及其密钥"}),
	own(CodeCannotSign, mapi.Conf, said{
		"the query cannot be signed with the partner's key", "无法用该合作者的密钥签名",
		"check the partner's key file and signature type (sign-type) in the settings",
		"请检查该合作者的密钥文件与签名类型设置"}),
	own(CodeCharset, mapi.Input, said{
		"the e-mail or account has a character that the partner's charset cannot hold", "邮箱或账号中有该合作者编码无法表示的字符",
		"correct the query, or set the partner's charset to one that holds it, then ask again",
		"请更正查询，或为该合作者设置能表示该字符的编码，再查询"}),
}

// statusWords explain an HTTP status that is no answer. It may come from the gateway or from
// anything on the way to it. All are Temp: nothing was answered.
func statusWords(status int) mapi.Code {
	s := statuses[slices.IndexFunc(statuses, func(s statusSaid) bool { return s.from <= status && status <= s.to })]
	n := " (HTTP " + strconv.Itoa(status) + ")"
	return own(CodeHTTP+strconv.Itoa(status), mapi.Temp, said{s.en + n, s.zh + n, s.doEN, s.doZH})
}

// statusSaid are the texts for the statuses between from and to, inclusive.
type statusSaid struct {
	from, to int
	said
}

const (
	seeURLEN  = "check host and path in gateway-url, then ask again later"
	seeURLZH  = "请检查 gateway-url 的域名与路径，稍后重新查询"
	seeBodyEN = "ask again later; if it lasts, see what comes back with protocolq call -v"
	seeBodyZH = "稍后重新查询；若持续出现，请用 protocolq call -v 查看返回的内容"
)

// statuses go from the exact to the general: the first that fits is used, and the last fits all
// numbers that HTTP can write.
var statuses = []statusSaid{
	{401, 401, said{"the gateway, or a proxy on the way, wants a login", "网关或途中的代理要求登录",
		"check gateway-url and proxies on the way (the gateway itself asks for no login), then ask again later",
		"请检查 gateway-url 与途中的代理（网关本身不要求登录），稍后重新查询"}},
	{403, 403, said{"the gateway, or a firewall or proxy on the way, forbids the call", "网关或途中的防火墙、代理禁止此调用",
		"check that this machine's address is let through by firewalls, proxies and the gateway, then ask again later",
		"请确认防火墙、代理与网关都允许本机地址，稍后重新查询"}},
	{404, 404, said{"there is no gateway at this address", "该地址上没有网关", seeURLEN, seeURLZH}},
	{405, 405, said{"what answers at this address takes no POST", "该地址不接受 POST 请求", seeURLEN, seeURLZH}},
	{407, 407, said{"the proxy wants a login", "代理要求登录",
		"correct user and password in HTTPS_PROXY, then ask again later", "请更正 HTTPS_PROXY 中的用户名与密码，稍后重新查询"}},
	{408, 408, said{"the gateway, or a proxy on the way, waited too long for the request", "网关或途中的代理等待请求超时", seeBodyEN,
		seeBodyZH}},
	{410, 410, said{"there is no gateway at this address any more", "该地址上已没有网关", seeURLEN, seeURLZH}},
	{429, 429, said{"too many calls: the gateway, or a proxy on the way, wants fewer", "调用过于频繁，网关或途中的代理要求降低频率",
		"ask again later; if it lasts, lower the partner's rate and concurrency", "稍后重新查询；若持续出现，请降低该合作者的 rate 与 " +
			"concurrency 设置"}},
	{400, 499, said{"the gateway, or a proxy on the way, refused the request", "网关或途中的代理拒绝了请求", seeBodyEN, seeBodyZH}},
	{502, 502, said{"a proxy or balancer before the gateway got no good answer from it", "网关之前的代理或负载均衡没有得到正确的应答",
		seeBodyEN, seeBodyZH}},
	{503, 503, said{"the gateway, or a proxy before it, is down or overloaded for a while", "网关或其之前的代理暂时不可用或过载",
		seeBodyEN, seeBodyZH}},
	{504, 504, said{"a proxy or balancer before the gateway got no answer from it in time", "网关之前的代理或负载均衡未在时限内得到应答",
		seeBodyEN, seeBodyZH}},
	{500, 599, said{"an error inside the gateway, or inside a proxy before it", "网关或其之前的代理内部出错", seeBodyEN, seeBodyZH}},
	{0, 999, said{"an HTTP status that no answer of the gateway has", "网关的应答不会使用的 HTTP 状态",
		"check gateway-url and proxies on the way, then ask again later", "请检查 gateway-url 与途中的代理，稍后重新查询"}},
}
