// Styles and scripts: embedded, with names made from their content, so that a browser may keep them
// for ever.

package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var staticFiles embed.FS

// assetTable finds a file by its name with a hash, and the reverse.
type assetTable struct {
	paths map[string]string // "app.css" to "/static/app.3f2a….css"
	files map[string][]byte // by that path
}

var assets = func() *assetTable {
	a := &assetTable{map[string]string{}, map[string][]byte{}}
	err := fs.WalkDir(staticFiles, "static", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := staticFiles.ReadFile(file)
		name := strings.TrimPrefix(file, "static/")
		sum, ext := sha256.Sum256(data), path.Ext(name)
		at := "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.paths[name], a.files[at] = at, data
		return err
	})
	if err != nil {
		panic(err) // embedded
	}
	return a
}()

// path is the address of a file. Templates call it: {{asset "app.css"}}.
func (a *assetTable) path(name string) string {
	if at, ok := a.paths[name]; ok {
		return at
	}
	return "/static/missing-" + name
}

func (a *assetTable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(data))
}
