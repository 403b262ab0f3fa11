// The fleet as a section of the page.

// Package fleet is the console's page of the workers: a list of them, what they do and have done in
// the last hour, their partners, streams and recorder. One poller reads for all readers.
package fleet

import (
	"embed"
	"io/fs"
	"sync"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/web"
	"protocolq/cmd/protocolq/console/words"
)

//go:embed templates
var files embed.FS

type section struct {
	history func() History

	mu       sync.Mutex // guards rendered
	rendered map[words.Lang]rendering
}

// rendering holds what all tabs of one language are sent of one reading.
type rendering struct {
	at    time.Time
	parts []Part
}

// parts are the blocks of the template that change, named by their elements' ids.
var parts = []string{"fleet-state", "fleet-tiles", "fleet-charts", "fleet-members", "fleet-partners", "fleet-streams",
	"fleet-words"}

// New makes the section; history is a Poller's.
func New(history func() History) web.Section {
	s := &section{history: history, rendered: map[words.Lang]rendering{}}
	templates, err := fs.Sub(files, "templates")
	if err != nil {
		panic(err) // embedded
	}
	return web.Section{Name: "fleet", Path: "/fleet", Right: access.See, Templates: templates, Pages: []web.Page{
		{Pattern: "GET /fleet", Right: access.See, Handle: s.page},
		{Pattern: "GET /fleet/events", Right: access.See, Handle: s.events},
	}}
}

func (s *section) page(x *web.Exchange) error {
	h := s.history()
	return x.Render("fleet.html", view(&h))
}

// events sends the parts that have changed.
func (s *section) events(x *web.Exchange) error {
	var t tab
	return x.Stream(every, func(send func(string, any) error) (bool, error) {
		list, err := s.render(x)
		if err != nil {
			return false, err
		}
		for _, p := range t.due(list) {
			if err := send("part", p); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// render returns the parts of the newest reading, rendered once for each language.
func (s *section) render(x *web.Exchange) ([]Part, error) {
	h := s.history()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rendered[x.Visit.Lang]; r.at.Equal(h.Now.At) && r.parts != nil {
		return r.parts, nil
	}
	v, list := view(&h), make([]Part, 0, len(parts))
	for _, id := range parts {
		html, err := x.Part("fleet.html", id, v)
		if err != nil {
			return nil, err
		}
		list = append(list, Part{id, html})
	}
	s.rendered[x.Visit.Lang] = rendering{h.Now.At, list}
	return list, nil
}
