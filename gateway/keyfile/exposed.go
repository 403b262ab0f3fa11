// Who else can read or change a key's file, by its mode and the mode of its folder.

package keyfile

import (
	"fmt"
	"io/fs"
	"strings"
)

// place is a file or folder with its mode.
type place struct {
	path string
	mode fs.FileMode
}

// The mode bits that count. Reading by the group is allowed: secrets that Kubernetes (fsGroup) and
// systemd (LoadCredential) mount are 0440, and with root:protocolq 0640 a service gets a file of
// root's. Writing by the group is not allowed: no mounted secret needs it.
const (
	readByAll    fs.FileMode = 0o004
	writeByGroup fs.FileMode = 0o020
	writeByAll   fs.FileMode = 0o002
)

// Exposed says, in a sentence for each, who may read or change the file besides its owner, and
// which chmod ends that. Anybody may read the file of a public key. The result is nil for anything
// but a regular file, and on systems whose files have no such modes.
func (s Source) Exposed(public bool) []string {
	if !s.Regular || !modesCount {
		return nil
	}
	return exposed(s.file, s.folders, public)
}

func exposed(file place, folders []place, public bool) (faults []string) {
	wrong := file.mode & (writeByGroup | writeByAll)
	if !public {
		wrong |= file.mode & readByAll
	}
	if wrong != 0 {
		keep := fs.FileMode(0o750)
		if public {
			keep = 0o755
		}
		faults = append(faults, fmt.Sprintf("%s may be %s: chmod %o %s", file.path, whoMay(wrong),
			file.mode.Perm()&keep, shellWord(file.path)))
	}
	for _, f := range folders {
		wrong := f.mode & (writeByGroup | writeByAll)
		// In a sticky folder (/tmp, a secret's mount in Kubernetes) only root and the owners of the file
		// and the folder can replace this file.
		if wrong == 0 || f.mode&fs.ModeSticky != 0 {
			continue
		}
		faults = append(faults, fmt.Sprintf("%s, the folder of %s, may be %s: chmod go-w %s", f.path, file.path,
			whoMay(wrong), shellWord(f.path)))
	}
	return faults
}

func whoMay(bits fs.FileMode) string {
	var said []string
	if bits&readByAll != 0 {
		said = append(said, "read by everybody")
	}
	switch {
	case bits&writeByAll != 0:
		said = append(said, "changed by everybody")
	case bits&writeByGroup != 0:
		said = append(said, "changed by its group")
	}
	return strings.Join(said, " and ")
}

// shellWord is path as typed in a shell.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' ||
			strings.ContainsRune("/._-+,:@%", r)
	}
	if path != "" && path[0] != '-' && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	quoted := "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	if strings.HasPrefix(path, "-") {
		quoted = "./" + quoted
	}
	return quoted
}
