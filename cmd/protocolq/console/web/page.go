// What a page is: an address, the right that it needs, and its handler.

// Package web is the console's server: it knows who the reader is, in which language, and what the
// reader may do. It refuses everything else, and renders. Each section's own package says what its
// pages show.
//
//	request ─► headers ─► host ─► same origin ─► who, language ─► right ─► Handler ─► template
package web

import (
	"io/fs"

	"protocolq/cmd/protocolq/console/access"
)

// Handler answers one request. A Fault says how it is refused; any other error is ours, is logged,
// and the reader sees only that.
type Handler func(x *Exchange) error

// Page is one address.
type Page struct {
	// Pattern is as http.ServeMux has it: "GET /fleet", "POST /dead/discard".
	Pattern string
	Right   access.Right
	Handle  Handler
}

// Section is one entry of the navigation with its pages.
type Section struct {
	// Name is what templates and keys of words begin with; words has Name+".nav".
	Name string
	// Path is where its entry leads.
	Path string
	// Right is what a reader needs to see the entry.
	Right access.Right
	// Templates are *.html files: each is a page with the blocks "title" and "content" (and "head",
	// where it has scripts of its own), but those that begin with _, which are parts of all others.
	Templates fs.FS
	Pages     []Page
}
