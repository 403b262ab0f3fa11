//go:build unix

// What the workers said of trouble: no evidence, but where to begin to look when a bound is broken.

package testbed

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// mostWarnings is how many kinds of trouble are named.
const mostWarnings = 15

// Warnings counts what the workers and recorders logged above the level of information, the most
// frequent first.
func (h *Bed) Warnings() []string {
	counted := map[string]int{}
	for _, of := range []string{"worker", "recorder"} {
		logs, _ := filepath.Glob(filepath.Join(h.Dir, of+"-*.log")) // its only error is a wrong pattern
		for _, log := range logs {
			countWarnings(log, of, counted)
		}
	}
	kinds := slices.SortedFunc(maps.Keys(counted), func(x, y string) int {
		return cmp.Or(cmp.Compare(counted[y], counted[x]), cmp.Compare(x, y))
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%6d × %s", counted[kind], kind)
	}
	return kinds[:min(len(kinds), mostWarnings)]
}

func countWarnings(log, of string, counted map[string]int) {
	f, err := os.Open(log)
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l struct{ Level, Msg, What, Code, Err string }
		if json.Unmarshal(lines.Bytes(), &l) != nil || l.Level != "WARN" && l.Level != "ERROR" {
			continue
		}
		kind := of + ": " + l.Msg
		for _, more := range []string{l.What, l.Code, l.Err} {
			if more != "" {
				kind += ", " + more
			}
		}
		counted[kind]++
	}
}
