// Modes that protect a key, and modes that do not.

package keyfile

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExposed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mode    fs.FileMode
		folders []fs.FileMode
		public  bool
		want    []string
	}{
		{"owner alone", 0o600, []fs.FileMode{0o700}, false, nil},
		{"owner reads alone", 0o400, []fs.FileMode{0o755}, false, nil},
		{"systemd's and fsGroup's", 0o440, []fs.FileMode{0o550}, false, nil},
		{"root and a service's group", 0o640, []fs.FileMode{0o750}, false, nil},
		{"everybody reads", 0o644, []fs.FileMode{0o755}, false, []string{"key may be read by everybody: chmod 640 key"}},
		{"everybody reads alone", 0o604, nil, false, []string{"key may be read by everybody: chmod 600 key"}},
		{"a secret of Kubernetes by default", 0o644, []fs.FileMode{fs.ModeSticky | 0o777, 0o755}, false, []string{"key may be read by everybody: chmod 640 key"}},
		{"group writes", 0o660, []fs.FileMode{0o755}, false, []string{"key may be changed by its group: chmod 640 key"}},
		{"everybody writes", 0o666, []fs.FileMode{0o755}, false, []string{"key may be read by everybody and changed by everybody: chmod 640 key"}},
		{"everybody writes only", 0o602, []fs.FileMode{0o755}, false, []string{"key may be changed by everybody: chmod 600 key"}},
		{"execute bits", 0o755, nil, false, []string{"key may be read by everybody: chmod 750 key"}},
		{"public, everybody reads", 0o644, []fs.FileMode{0o755}, true, nil},
		{"public, everybody writes", 0o666, []fs.FileMode{0o755}, true, []string{"key may be changed by everybody: chmod 644 key"}},
		{"group writes to the folder", 0o600, []fs.FileMode{0o775}, false, []string{"d0, the folder of key, may be changed by its group: chmod go-w d0"}},
		{"everybody writes to the folder", 0o600, []fs.FileMode{0o777}, true, []string{"d0, the folder of key, may be changed by everybody: chmod go-w d0"}},
		{"sticky folder", 0o600, []fs.FileMode{fs.ModeSticky | 0o777}, false, nil},
		{"the folder that a link leads to", 0o600, []fs.FileMode{0o755, 0o777}, false, []string{"d1, the folder of key, may be changed by everybody: chmod go-w d1"}},
		{"all", 0o666, []fs.FileMode{0o777}, false, []string{
			"key may be read by everybody and changed by everybody: chmod 640 key", "d0, the folder of key, may be changed by everybody: chmod go-w d0"}},
	} {
		var folders []place
		for i, mode := range tt.folders {
			folders = append(folders, place{"d" + string(rune('0'+i)), fs.ModeDir | mode})
		}
		if diff := cmp.Diff(tt.want, exposed(place{"key", tt.mode}, folders, tt.public)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// The chmod in the text works when typed.
func TestChmodIsTyped(t *testing.T) {
	for path, want := range map[string]string{
		"/etc/protocolq/key": "/etc/protocolq/key", "my key": "'my key'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "-r": "./'-r'", "": "''",
	} {
		if got := exposed(place{path, 0o644}, nil, false)[0]; !strings.HasSuffix(got, ": chmod 640 "+want) {
			t.Errorf("%q: %s", path, got)
		}
	}
}
