// What an open tab gets: the parts of the page that have changed, up to a number of bytes a second.

package fleet

import "strings"

// Part is a part of the page, by its element's id.
type Part struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// size is what the part takes as JSON in an event, about: quotes and the ends of lines are two
// bytes.
func (p *Part) size() int {
	return len(p.HTML) + strings.Count(p.HTML, `"`) + strings.Count(p.HTML, "\n") + overhead
}

// overhead is what is around a part's text.
const overhead = 60

// Bytes that a tab may be sent: so many a tick, and after a quiet time at most so many at once.
const (
	tickBytes = 4000 // 0.8 KB a second
	mostBytes = 60_000
)

// tab is what one open tab has, and may be sent.
type tab struct {
	sent   map[string]string
	tokens int
	turn   int
}

// due are the parts that are to be sent now: changed ones, each in its turn, so that one that is
// long waits until there is room for it and keeps no other from its turn for ever.
func (t *tab) due(parts []Part) []Part {
	if t.sent == nil { // the tab has just been given all of them
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
