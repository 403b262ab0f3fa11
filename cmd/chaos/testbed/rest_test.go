//go:build unix

// What counts as a worker's memory.

package testbed

import (
	"testing"

	"protocolq/cmd/chaos/verdict"
)

// The program's own file does not count, on a disk or in memory.
func TestReadStatus(t *testing.T) {
	for name, pages := range map[string]string{
		"on a disk":  "RssFile:\t   20000 kB\nRssShmem:\t       0 kB\n",
		"in a tmpfs": "RssFile:\t    3000 kB\nRssShmem:\t   17000 kB\n",
	} {
		r := verdict.Rest{Name: "w"}
		readStatus("Name:\tprotocolq\nVmHWM:\t   61000 kB\nVmRSS:\t   51000 kB\n"+pages+"Threads:\t11\n", &r)
		if want := (verdict.Rest{Name: "w", Threads: 11, Resident: 31000, Peak: 41000}); r != want {
			t.Errorf("%s: %+v, want %+v", name, r, want)
		}
	}
}
