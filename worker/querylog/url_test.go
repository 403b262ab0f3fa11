// A wrong URL is refused with the reason, and no error shows its password.

package querylog_test

import (
	"strings"
	"testing"

	"protocolq/worker/querylog"
)

func TestURLs(t *testing.T) {
	for url, fault := range map[string]string{
		"sqlite:///var/lib/log.db": "", "sqlite:log.db": "", "sqlite://data/log.db": "", "postgres://me@host/log?sslmode=require": "", "postgresql:///log": "",
		"sqlite:": "names no file", "mysql://x": "must begin with", "": "must begin with", "/var/lib/log.db": "must begin with",
		"postgres://me:s3cret@host/log": "no password", "postgres://host/log?password=s3cret": "no password", "postgres://me:s3cret@ho st:x/%zz": "is not a URL",
	} {
		err := querylog.CheckURL(url)
		if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: %v, want %q", url, err, fault)
		}
	}
}
