// Runs axe-core, which checks that people can use the page without seeing it, or without a mouse.

package browsertest

import (
	"encoding/json"
	"os"
)

// violation is one violation that axe-core reports.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// Accessible checks the page with axe-core. PROTOCOLQ_TEST_AXE names its script (axe.min.js of the
// npm package axe-core). Without it nothing is checked, which fails if CI is set.
func (tab *Tab) Accessible() {
	tab.t.Helper()
	path := os.Getenv("PROTOCOLQ_TEST_AXE")
	if path == "" {
		if os.Getenv("CI") != "" {
			tab.t.Error("no axe-core: PROTOCOLQ_TEST_AXE names its axe.min.js")
		}
		return
	}
	program, err := os.ReadFile(path)
	if err != nil {
		tab.t.Fatal(err)
	}
	Eval[bool](tab, string(program)+";true")
	said := evalAwaited(tab, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`)
	var found []violation
	if err := json.Unmarshal([]byte(said), &found); err != nil {
		tab.t.Fatalf("read what axe-core says: %v", err)
	}
	for _, v := range found {
		for _, n := range v.Nodes {
			tab.t.Errorf("%s (%s): %s: %s\n%.300s\n%s", tab.at(), tab.Name(), v.ID, v.Help, n.HTML, n.Summary)
		}
	}
}
