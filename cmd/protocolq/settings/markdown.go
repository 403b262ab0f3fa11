// The documentation of the settings, made from the table that defines them, so that both agree.

package settings

import (
	"fmt"
	"strings"
)

// Markdown gives all settings as a Markdown table: flag, variable, file key, default, meaning.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| flag | variable | file key | default | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range (&Config{}).table() {
		flag, variable := "`--"+s.name+"`", "`"+s.variable()+"`"
		if s.parse == nil {
			flag, variable = "", ""
		}
		fallback := ""
		if s.fallback != "" {
			fallback = "`" + s.fallback + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s |\n", flag, variable, s.key(), fallback, s.usage)
	}
	return b.String()
}
