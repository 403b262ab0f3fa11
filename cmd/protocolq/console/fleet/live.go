// Updates of an open tab: the parts of the page that have changed, at a limited rate.

package fleet

import "strings"

// Part is a part of the page, by its element's id.
type Part struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// size is roughly the length of the part as JSON in an event: quotes and line ends count as two
// bytes.
func (p *Part) size() int {
	return len(p.HTML) + strings.Count(p.HTML, `"`) + strings.Count(p.HTML, "\n") + overhead
}

// overhead is the length of the JSON around a part's text.
const overhead = 60

// Limits of what a tab is sent: bytes in each tick, and bytes at once after a quiet time.
const (
	tickBytes = 4000 // 0.8 KB a second
	mostBytes = 60_000
)

// tab is the state of one open tab: what it has, and how much it may be sent.
type tab struct {
	sent   map[string]string
	tokens int
	turn   int
}

// due returns the changed parts to send now, in turn. A long part waits until there is room for it,
// without keeping other parts from their turn for ever.
func (t *tab) due(parts []Part) []Part {
	if t.sent == nil { // the tab has just loaded all of them
		t.sent = map[string]string{}
		for _, p := range parts {
			t.sent[p.ID] = p.HTML
		}
		return nil
	}
	t.tokens = min(t.tokens+tickBytes, mostBytes)
	var list []Part
	for range parts {
		p := parts[t.turn%len(parts)]
		if t.sent[p.ID] != p.HTML {
			size := min(p.size(), mostBytes)
			if size > t.tokens {
				break
			}
			t.tokens -= size
			t.sent[p.ID] = p.HTML
			list = append(list, p)
		}
		t.turn++
	}
	return list
}
