// Which context counts, case by case.

package settings

import "testing"

func TestChoose(t *testing.T) {
	running, left := &devState{running: true, here: true}, &devState{here: true}
	byDev := chosen{name: "dev", from: "a running protocolq dev"}
	for name, c := range map[string]struct {
		given given
		want  chosen
	}{
		"nothing is given":                       {given{findsDev: true}, chosen{}},
		"a dev runs":                             {given{findsDev: true, dev: running}, byDev},
		"a dev was killed":                       {given{findsDev: true, dev: left}, chosen{left: true}},
		"a command that serves, beside a dev":    {given{dev: running}, chosen{}},
		"and beside one that was killed":         {given{dev: left}, chosen{}},
		"a setting is given, beside a dev":       {given{findsDev: true, said: true, dev: running}, chosen{}},
		"and beside one that was killed, too":    {given{findsDev: true, said: true, dev: left}, chosen{}},
		"a settings file is given":               {given{findsDev: true, file: true, dev: running}, chosen{}},
		"a settings file, a selected context":    {given{findsDev: true, file: true, selected: "shop", dev: running}, chosen{}},
		"a context is selected":                  {given{findsDev: true, selected: "shop", dev: running}, chosen{name: "shop", from: "selected"}},
		"a context is selected, a setting given": {given{findsDev: true, selected: "shop", said: true}, chosen{name: "shop", from: "selected"}},
		"the variable before the selected":       {given{findsDev: true, variable: "test", selected: "shop", dev: running}, chosen{name: "test", from: "PROTOCOLQ_CONTEXT"}},
		"the variable beside a file":             {given{variable: "test", file: true}, chosen{name: "test", from: "PROTOCOLQ_CONTEXT"}},
		"the flag before the variable":           {given{named: true, name: "own", variable: "test", dev: running}, chosen{name: "own", from: "--context"}},
		"the flag says none":                     {given{named: true, variable: "test", selected: "shop", findsDev: true, dev: running}, chosen{from: "--context"}},
		"dev by name":                            {given{named: true, name: "dev", said: true}, chosen{name: "dev", from: "--context"}},
	} {
		if got := choose(c.given); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
