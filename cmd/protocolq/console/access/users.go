// The file of users: the one list of what each user may do, for every kind of sign-in.

package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// User is one user of the file. A user without a password signs in by the organisation's sign-in or
// proxy.
type User struct {
	Name     string   `yaml:"name"`
	Role     Role     `yaml:"role"`
	Password string   `yaml:"password,omitempty"` // a hash, see HashPassword
	Partners []string `yaml:"partners,omitempty"` // for which partners an agent may ask; none: the workers' default
	Minute   int      `yaml:"per_minute,omitempty"`
	// Added is when the name came into the file, to tell this user from an earlier one of the same
	// name. It is zero for users from before this field, and in files written by hand.
	Added time.Time `yaml:"added,omitempty"`
	// SessionsFrom ends all sessions that began before it, in every console that reads the file.
	SessionsFrom time.Time `yaml:"sessions_from,omitempty"`
}

// Key finds what is kept of a user: the name, and which of the users of that name it is. The name
// is the part before a space, as no name has a space.
func (u User) Key() string {
	if u.Added.IsZero() {
		return u.Name
	}
	return u.Name + " " + strconv.FormatInt(u.Added.UnixMilli(), 10)
}

// NameOf returns the name in a key.
func NameOf(key string) string {
	name, _, _ := strings.Cut(key, " ")
	return name
}

// DefaultMinute is how many look-ups a minute a user may do if its row names no number.
const DefaultMinute = 30

// PerMinute is how many look-ups a minute this user may do.
func (u User) PerMinute() int {
	if u.Minute > 0 {
		return u.Minute
	}
	return DefaultMinute
}

// Bounds of the file.
const (
	mostUsers = 10_000
	mostFile  = 4 << 20
	mostName  = 128
)

type userFile struct {
	Users []User `yaml:"users"`
}

// ParseUsers reads the file's bytes. The error joins all faults.
func ParseUsers(data []byte) ([]User, error) {
	var file userFile
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read users: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) { // what writes the file would drop it
		return nil, errors.New("read users: the file must hold one document")
	}
	if len(file.Users) > mostUsers {
		return nil, fmt.Errorf("read users: more than %d", mostUsers)
	}
	var faults []error
	seen := map[string]bool{}
	for _, u := range file.Users {
		if err := u.Check(); err != nil {
			faults = append(faults, err)
		}
		if seen[u.Name] {
			faults = append(faults, fmt.Errorf("user %q appears twice", u.Name))
		}
		seen[u.Name] = true
	}
	return file.Users, errors.Join(faults...)
}

// FormatUsers returns the file's bytes.
func FormatUsers(users []User) ([]byte, error) {
	slices.SortFunc(users, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	data, err := yaml.Marshal(userFile{users})
	if err != nil {
		return nil, fmt.Errorf("write users: %w", err)
	}
	return append([]byte("# Users of the console: write it with 'protocolq console user'.\n"), data...), nil
}

// Check returns all faults of u.
func (u User) Check() error {
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if u.Name == "" || len(u.Name) > mostName ||
		strings.ContainsFunc(u.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }) {
		wrong("user name %q: use 1 to %d printed characters without spaces", u.Name, mostName)
	}
	if !u.Role.Known() {
		wrong("user %q: role %q is not one of viewer, agent, operator", u.Name, u.Role)
	}
	if u.Password != "" {
		if _, err := parseHash(u.Password); err != nil {
			wrong("user %q: password %w", u.Name, err)
		}
	}
	for _, p := range u.Partners {
		if len(p) != 16 || !strings.HasPrefix(p, "2088") || strings.Trim(p, "0123456789") != "" {
			wrong("user %q: partner %q: want 2088 and 12 digits", u.Name, p)
		}
	}
	if u.Minute < 0 || u.Minute > 10_000 {
		wrong("user %q: per_minute must be from 0 to 10000, not %d", u.Name, u.Minute)
	}
	return errors.Join(faults...)
}

// Users is the file of users, read again when it changes. The sessions of a user who is removed
// from it end.
type Users struct {
	path    string
	hashing chan struct{} // one token for each password that may be hashed at once

	mu     sync.Mutex // guards the rest
	looked time.Time
	stamp  stamp
	byName map[string]User
	fault  error // why the file cannot be read
}

// stamp distinguishes states of a file.
type stamp struct {
	changed time.Time
	size    int64
	id      uint64 // the inode, if the system has it: editors write a new file
}

// lookEvery is how long a change of the file may go unnoticed.
const lookEvery = time.Second

// OpenUsers reads the file, which must exist and be valid.
func OpenUsers(path string) (*Users, error) {
	u := &Users{path: path, hashing: make(chan struct{}, 2)}
	return u, u.read()
}

func (u *Users) read() error {
	f, err := os.Open(u.path)
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err == nil && len(data) > mostFile {
		err = fmt.Errorf("%s is larger than %d bytes", u.path, mostFile)
	}
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	list, err := ParseUsers(data)
	if err != nil {
		return err
	}
	u.byName = make(map[string]User, len(list))
	for _, user := range list {
		u.byName[user.Name] = user
	}
	return nil
}

// Find returns the user of that name as the file has it now. A file that is missing or broken has
// no users: a session must not outlive the row that allows it.
func (u *Users) Find(name string) (User, bool) {
	user, ok, _ := u.Look(name)
	return user, ok
}

// Look is Find for callers that can wait: if the file cannot be read, its users are not known, and
// the error says so.
func (u *Users) Look(name string) (User, bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now := time.Now(); now.Sub(u.looked) >= lookEvery {
		u.looked = now
		if s, err := stampOf(u.path); err != nil || s != u.stamp {
			switch {
			case err == nil && s.size == 0: // it is being written
				err = fmt.Errorf("read users: %s is empty", u.path)
			case err == nil:
				err = u.read()
			}
			if u.stamp, u.fault = s, err; err != nil {
				u.byName, u.stamp = nil, stamp{}
			}
		}
	}
	user, ok := u.byName[name]
	return user, ok, u.fault
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, fmt.Errorf("look at users: %w", err)
	}
	return stamp{changed: info.ModTime(), size: info.Size(), id: inode(info)}, nil
}

// nobody is the hash that is compared for an unknown name, so that the response takes as long as
// for a known one. No password has that sum. It is not computed here: a worker is the same program,
// and would need the 32 MiB that a hash takes.
var nobody = hash{memory: hashKiB, passes: hashPasses, threads: hashThreads,
	salt: make([]byte, saltBytes), sum: make([]byte, hashBytes)}

// Check returns the user with this name and password.
func (u *Users) Check(name, password string) (User, bool) {
	user, known := u.Find(name)
	h, err := parseHash(user.Password)
	if err != nil {
		h, known = nobody, false
	}
	u.hashing <- struct{}{}
	defer func() { <-u.hashing }()
	fits := len(password) <= MostPassword && h.fits(password)
	return user, known && fits
}
