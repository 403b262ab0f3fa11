// What a page is: an address, the right that it needs, and its handler.

// Package web is the console's server. It knows who the reader is, the reader's language, and what
// the reader may do. It refuses everything else, and renders pages. Each section's own package says
// what its pages show.
//
//	request ─► headers ─► host ─► same origin ─► who, language ─► right ─► Handler ─► template
package web

import (
	"io/fs"

	"protocolq/cmd/protocolq/console/access"
)

// Handler answers one request. A Fault says how the request is refused. Any other error is a fault
// of the server: it is logged, and the reader sees only that there was one.
type Handler func(x *Exchange) error

// Page is one address and its handler.
type Page struct {
	// Pattern is as http.ServeMux has it: "GET /fleet", "POST /dead/discard".
	Pattern string
	Right   access.Right
	Handle  Handler
}

// Section is one entry of the navigation with its pages.
type Section struct {
	// Name is the prefix of its templates and keys of words; words has Name+".nav".
	Name string
	// Path is the address behind the entry.
	Path string
	// Right is what a reader needs to see the entry.
	Right access.Right
	// Templates are *.html files. Each is a page with the blocks "title" and "content" (and "head", if
	// it has scripts of its own). Files that begin with _ are parts that all pages can use.
	Templates fs.FS
	Pages     []Page
}
