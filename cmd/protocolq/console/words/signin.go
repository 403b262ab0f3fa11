// What the sign-in page says.

package words

var signIn = map[string]Said{
	"signin.title":    {"Sign in", "登录"},
	"signin.name":     {"Name", "用户名"},
	"signin.password": {"Password", "密码"},
	"signin.do":       {"Sign in", "登录"},
	"signin.sso":      {"Sign in with your organisation", "使用单位账号登录"},
	"signin.or":       {"or", "或"},
	"signin.wrong":    {"Name or password is wrong.", "用户名或密码不正确。"},
	"signin.wait":     {"Too many tries. Wait %s, then try again.", "尝试次数过多。请等待 %s 后重试。"},
	"signin.unknown":  {"%s has no access here. An operator can add this name.", "%s 没有访问权限，请联系运维人员添加。"},
	"signin.ended":    {"You are signed out.", "您已退出登录。"},
	"signin.out":      {"Sign out", "退出登录"},
	"signin.all":      {"Sign out everywhere", "退出所有设备"},
}
