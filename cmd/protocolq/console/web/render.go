// Templates, parsed once for each language.

package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"protocolq/cmd/protocolq/console/access"
	"protocolq/cmd/protocolq/console/words"
)

// templates are found by language and file name.
type templates map[words.Lang]map[string]*template.Template

// View is the data of a page's template: .Data is the page's own, the rest is for the frame.
type View struct {
	*Visit
	Nav    []NavEntry
	Active string // the section
	Path   string // where a change of language returns to
	Data   any
}

// NavEntry is one link of the navigation.
type NavEntry struct{ Name, Path string }

// parseTemplates reads the frame, and each section's pages into it.
func parseTemplates(sections []Section) (templates, error) {
	all := templates{}
	for _, l := range words.Langs() {
		all[l] = map[string]*template.Template{}
		frame, err := template.New("frame.html").Funcs(functions(l)).ParseFS(ownTemplates, "templates/_*.html")
		if err != nil {
			return nil, fmt.Errorf("read the page's frame: %w", err)
		}
		for _, section := range sections {
			if err := parseSection(all[l], frame, section); err != nil {
				return nil, fmt.Errorf("section %s: %w", section.Name, err)
			}
		}
	}
	return all, nil
}

func parseSection(into map[string]*template.Template, frame *template.Template, section Section) error {
	files, err := fs.Glob(section.Templates, "*.html")
	if err != nil || len(files) == 0 {
		return errors.Join(errors.New("has no templates"), err)
	}
	parts, err := fs.Glob(section.Templates, "_*.html")
	if err != nil {
		return fmt.Errorf("look for parts: %w", err)
	}
	for _, file := range files {
		name := path.Base(file)
		if strings.HasPrefix(name, "_") {
			continue
		}
		if into[name] != nil {
			return fmt.Errorf("%s also belongs to another section", name)
		}
		page, err := frame.Clone()
		if err == nil {
			page, err = page.ParseFS(section.Templates, append(parts, file)...)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		into[name] = page
	}
	return nil
}

// functions are what templates can call.
func functions(l words.Lang) template.FuncMap {
	return template.FuncMap{
		"t":       func(key string, args ...any) string { return words.Say(l, key, args...) },
		"lang":    func() words.Lang { return l },
		"asset":   assets.path,
		"roughly": func(d time.Duration) string { return words.Roughly(l, d) },
		"ago":     func(at time.Time) string { return words.Ago(l, time.Since(at)) },
		"when":    when,
		"langs":   words.Langs,
		"themes":  func() []string { return themes },
		"initial": initial,
		"dict":    dict,
		"precise": words.Precisely,
		"yes":     func(b *bool) bool { return b != nil && *b },
	}
}

// when is a time: the script converts it to the reader's time zone.
func when(at time.Time) template.HTML {
	if at.IsZero() {
		return ""
	}
	at = at.UTC()
	machine, person := at.Format("2006-01-02T15:04:05.000Z"), at.Format("2006-01-02 15:04:05")
	return template.HTML(`<time datetime="` + machine + `" data-when>` + person + ` UTC</time>`)
}

// initial is the letter that represents a person.
func initial(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return "?"
}

// dict makes one argument of several, for parts.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: a name without a value")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// render writes a page completely or not at all.
func (s *Server) render(x *Exchange, status int, name string, data any) error {
	page := s.templates[x.Visit.Lang][name]
	if page == nil {
		return fmt.Errorf("there is no template %s", name)
	}
	v := View{Visit: x.Visit, Data: data, Path: x.R.URL.RequestURI()}
	if x.R.Method != http.MethodGet {
		v.Path = "/"
	}
	if x.section != nil {
		v.Active = x.section.Name
	}
	for _, section := range s.o.Sections {
		if section.Path != "" && x.Visit.User.Name != "" && x.Visit.May(section.Right) {
			v.Nav = append(v.Nav, NavEntry{section.Name, section.Path})
		}
	}
	var out bytes.Buffer
	if err := page.ExecuteTemplate(&out, "frame", v); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	x.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.W.Header().Set("Content-Language", string(x.Visit.Lang))
	x.W.WriteHeader(status)
	_, _ = x.W.Write(out.Bytes()) // a reader who has left needs no response
	return nil
}

// SignedIn reports whether there is a session that the reader can end.
func (v View) SignedIn() bool { return v.session }

// Home is the link of the name in the corner: the first page that this reader may see.
func (v View) Home() string {
	if v.User.Name != "" && !v.May(access.Ask) && len(v.Nav) > 0 {
		return v.Nav[0].Path
	}
	return "/"
}
