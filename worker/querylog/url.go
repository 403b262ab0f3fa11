// The place of the query log, as a URL. What opens it knows the databases; this package does not.

package querylog

import (
	"errors"
	"net/url"
	"strings"
)

// CheckURL reports what is wrong with a URL, without opening anything.
func CheckURL(text string) error {
	scheme, _, _ := strings.Cut(text, ":")
	switch scheme {
	case "sqlite":
		if SQLitePath(text) == "" {
			return errors.New("names no file: write sqlite:///absolute/path or sqlite:relative/path")
		}
		return nil
	case "postgres", "postgresql":
		u, err := url.Parse(text)
		if err != nil {
			return errors.New("is not a URL such as postgres://user@host/name") // its own text may show a password
		}
		_, password := u.User.Password()
		// A password here would end up in process lists and logs.
		if password || u.Query().Has("password") || u.Query().Has("sslpassword") {
			return errors.New("must hold no password: give it by PGPASSFILE or PGPASSWORD")
		}
		return nil
	}
	return errors.New("must begin with sqlite: or postgres://")
}

// SQLitePath is the file that a URL names: sqlite:///a is /a, sqlite://a and sqlite:a are a.
func SQLitePath(text string) string {
	path := strings.TrimPrefix(text, "sqlite:")
	return strings.TrimPrefix(path, "//")
}
