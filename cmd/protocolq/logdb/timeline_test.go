// Within a millisecond, events are in the order in which a query causes them.

package logdb_test

import (
	"fmt"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/logdb"
	"protocolq/worker/querylog/database"
)

func TestTimeline(t *testing.T) {
	one, other := database.Ask{Token: "a", AtMs: 10, TookMs: 5}, database.Ask{Token: "b", AtMs: 12}
	run := &database.Run{AtMs: 10, TookMs: 5, Calls: []database.Call{{AtMs: 10}, {}, {AtMs: 14}}}
	for _, c := range []struct {
		name  string
		story database.Story
		want  string
	}{
		{"nothing", database.Story{}, ""},
		{"refused at the door", database.Story{Asks: []database.Ask{other}}, "12asked 12replied"},
		{"run and two askers", database.Story{Run: run, Asks: []database.Ask{one, other}},
			"10asked 10begun 10called1 10called2 12asked 12replied 14called3 15stored 15replied"},
	} {
		var got []string
		for _, m := range logdb.Timeline(&c.story) {
			text := fmt.Sprint(m.AtMs, m.Kind)
			if m.Kind == logdb.Called {
				text += fmt.Sprint(m.N)
			}
			got = append(got, text)
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
}
