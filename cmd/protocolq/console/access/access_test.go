package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"protocolq/cmd/protocolq/console/access"
)

func TestRolesMay(t *testing.T) {
	for _, tt := range []struct {
		role access.Role
		may  string
	}{
		{"", ""}, {"somebody", ""}, {access.Agent, "ask"}, {access.Viewer, "see"}, {access.Operator, "ask see act reveal"},
	} {
		for _, right := range []access.Right{access.Ask, access.See, access.Act, access.Reveal} {
			if want := strings.Contains(tt.may, string(right)); tt.role.May(right) != want {
				t.Errorf("%q may %s: %v, want %v", tt.role, right, !want, want)
			}
		}
		if !tt.role.May(access.Anyone) {
			t.Errorf("%q may not see the sign-in page", tt.role)
		}
	}
}

const password = "correct horse battery"

// file writes users into a new file.
func file(t *testing.T, users ...access.User) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	write(t, path, users...)
	return path
}

func write(t *testing.T, path string, users ...access.User) {
	t.Helper()
	data, err := access.FormatUsers(users)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *access.Users {
	t.Helper()
	users, err := access.OpenUsers(path)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

func TestPasswords(t *testing.T) {
	users := open(t, file(t,
		access.User{Name: "li", Role: access.Agent, Password: access.HashPassword(password)},
		access.User{Name: "wang", Role: access.Operator}))
	for _, tt := range []struct {
		name, password string
		ok             bool
	}{
		{"li", password, true}, {"li", password + " ", false}, {"li", "", false}, {"Li", password, false},
		{"wang", "", false}, {"wang", password, false}, // signs in elsewhere
		{"zhao", password, false}, {"", "", false},
		{"li", strings.Repeat("x", access.MostPassword+1), false},
	} {
		if u, ok := users.Check(tt.name, tt.password); ok != tt.ok {
			t.Errorf("%s with %.30q: %v, %+v", tt.name, tt.password, ok, u.Role)
		}
	}
	if a, b := access.HashPassword(password), access.HashPassword(password); a == b || strings.Contains(a, password) {
		t.Errorf("two hashes are %s and %s", a, b)
	}
}

func TestFileOfUsersIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		"users: [{name: li, role: agent}]": "",
		"":                                 "",
		"---\nusers: [{name: li, role: agent}]\n":                                                                         "",
		"users: [{name: li, role: agent}]\n---\nusers: [{name: wu, role: viewer}]":                                        "one document",
		"users: [{name: li, role: boss}]":                                                                                 "not one of viewer, agent, operator",
		"users: [{name: li, role: agent, pasword: x}]":                                                                    "pasword",
		"users: [{name: li, role: agent, password: secret}]":                                                              "is not a password hash",
		"users: [{name: li, role: agent}, {name: li, role: viewer}]":                                                      "appears twice",
		"users: [{name: 'l i', role: agent}]":                                                                             "without spaces",
		"users: [{name: li, role: agent, partners: ['2088']}]":                                                            "2088 and 12 digits",
		"users: [{name: li, role: agent, per_minute: -1}]":                                                                "per_minute",
		"users: [{name: li, role: agent, password: '$argon2id$v=19$m=9999999,t=2,p=1$c2FsdHNhbHQ$c3Vtc3Vtc3Vtc3Vtc3Vt'}]": "is not a password hash",
	} {
		_, err := access.ParseUsers([]byte(text))
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows what may be a password: %v", err)
		}
	}
}

// A session ends by its time, by the removal of its user's row, by a new password, and by another
// key. The role is always the role in the file.
func TestSessions(t *testing.T) {
	li := access.User{Name: "li", Role: access.Agent, Password: access.HashPassword(password)}
	promoted, changed := li, li
	promoted.Role = access.Operator
	changed.Password = access.HashPassword(password)
	sealer, _ := access.NewSealer([]byte(strings.Repeat("k", 32)))
	other, _ := access.NewSealer(nil)
	cookie := sealer.Begin(li, time.Unix(1000, 0))
	for name, tt := range map[string]struct {
		users  []access.User
		cookie string
		after  time.Duration
		role   access.Role
	}{
		"its time":        {[]access.User{li}, cookie, access.SessionLife - time.Second, access.Agent},
		"later":           {[]access.User{li}, cookie, access.SessionLife, ""},
		"another role":    {[]access.User{promoted}, cookie, 0, access.Operator},
		"removed":         {nil, cookie, 0, ""},
		"new password":    {[]access.User{changed}, cookie, 0, ""},
		"another key":     {[]access.User{li}, other.Begin(li, time.Unix(1000, 0)), 0, ""},
		"another purpose": {[]access.User{li}, sealer.Seal("sign-on", access.Session{Name: "li", Until: 1 << 40}), 0, ""},
		"changed":         {[]access.User{li}, "x" + cookie, 0, ""},
		"cut":             {[]access.User{li}, cookie[:len(cookie)-2], 0, ""},
		"none":            {[]access.User{li}, "", 0, ""},
	} {
		u, ok := sealer.Resume(open(t, file(t, tt.users...)), tt.cookie, time.Unix(1000, 0).Add(tt.after))
		if ok != (tt.role != "") || ok && u.Role != tt.role {
			t.Errorf("%s: %v, %q", name, ok, u.Role)
		}
	}
	if _, err := access.NewSealer([]byte("short")); err == nil {
		t.Error("a short key was taken")
	}
}

// A session that was ended is over for every copy of its cookie, too.
func TestEndedSessions(t *testing.T) {
	begun := time.Unix(1000, 0)
	li, wang := access.User{Name: "li", Role: access.Agent}, access.User{Name: "wang", Role: access.Agent}
	users := open(t, file(t, li, wang))
	sealer, _ := access.NewSealer(nil)
	one, two, others := sealer.Begin(li, begun), sealer.Begin(li, begun), sealer.Begin(wang, begun)
	want := func(cookie string, at time.Time, want bool) {
		t.Helper()
		if _, ok := sealer.Resume(users, cookie, at); ok != want {
			t.Errorf("a session: %v", ok)
		}
	}
	sealer.End("forged", true, begun)
	sealer.End(one, false, begun)
	want(one, begun, false)
	want(two, begun, true)
	sealer.End(one, true, begun) // it ends no other session
	want(two, begun, true)
	sealer.End(two, true, begun.Add(time.Second))
	want(two, begun.Add(time.Second), false)
	want(sealer.Begin(li, begun), begun.Add(time.Second), false)
	want(others, begun.Add(time.Second), true)
	want(sealer.Begin(li, begun.Add(2*time.Second)), begun.Add(2*time.Second), true)
}

// However often a user signs out, memory stays small, and every ended session stays ended.
func TestEndedSessionsAreBounded(t *testing.T) {
	begun := time.Unix(1000, 0)
	li := access.User{Name: "li", Role: access.Agent}
	users := open(t, file(t, li))
	sealer, _ := access.NewSealer(nil)
	before := heap()
	first := sealer.Begin(li, begun)
	sealer.End(first, false, begun)
	for range 30_000 {
		sealer.End(sealer.Begin(li, begun), false, begun)
	}
	last := sealer.Begin(li, begun)
	sealer.End(last, false, begun)
	for _, cookie := range []string{first, last} {
		if _, ok := sealer.Resume(users, cookie, begun); ok {
			t.Error("an ended session goes on")
		}
	}
	if took := heap() - before; took > 8<<20 {
		t.Errorf("%d KiB", took>>10)
	}
	runtime.KeepAlive(sealer)
}

// SessionsFrom in the file counts for every console that reads the file.
func TestSessionsFrom(t *testing.T) {
	li := access.User{Name: "li", Role: access.Agent, SessionsFrom: time.Unix(1000, 0)}
	sealer, _ := access.NewSealer(nil)
	users := open(t, file(t, li))
	for at, want := range map[int64]bool{999_999: false, 1_000_000: true} {
		begun := time.UnixMilli(at)
		if _, ok := sealer.Resume(users, sealer.Begin(li, begun), begun); ok != want {
			t.Errorf("begun at %d: %v", at, ok)
		}
	}
}

// A user who is added again under a name is another user: the sessions of the first do not work for
// the second, nor does the second's key find what is kept of the first.
func TestSameNameAgain(t *testing.T) {
	first := access.User{Name: "li", Role: access.Agent} // signs in elsewhere: both have no password
	second := first
	second.Added = time.UnixMilli(1_795_953_600_500).UTC()
	if first.Key() != "li" || second.Key() != "li 1795953600500" || access.NameOf(second.Key()) != "li" || access.NameOf("li") != "li" {
		t.Errorf("keys %q and %q", first.Key(), second.Key())
	}
	sealer, _ := access.NewSealer(nil)
	path := file(t, second)
	users, now := open(t, path), time.Now()
	if _, ok := sealer.Resume(users, sealer.Begin(first, now), now); ok {
		t.Error("the second has the first's session")
	}
	if u, ok := sealer.Resume(users, sealer.Begin(second, now), now); !ok || u.Key() != second.Key() {
		t.Errorf("the second's own: %+v %v", u, ok)
	}
}

// The file is read again when it changes. If it is broken or gone, nobody gets in.
func TestFileIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := file(t, access.User{Name: "li", Role: access.Agent})
		users := open(t, path)
		find := func(name string, want bool) {
			t.Helper()
			time.Sleep(time.Second)
			if _, ok := users.Find(name); ok != want {
				t.Errorf("%s is there: %v, want %v", name, ok, want)
			}
		}
		unread := func(why string) {
			t.Helper()
			for range 2 { // at once, and when the file is looked at again
				if _, ok, err := users.Look("zhang"); (err != nil) != (why != "") || ok != (why == "") {
					t.Errorf("%q: is there: %v, %v", why, ok, err)
				}
				time.Sleep(time.Second)
			}
		}
		find("li", true)
		write(t, path, access.User{Name: "zhang", Role: access.Agent})
		find("li", false)
		find("zhang", true)
		if err := os.WriteFile(path, []byte("users: ["), 0o600); err != nil {
			t.Fatal(err)
		}
		find("zhang", false)
		unread("broken")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		unread("empty")
		write(t, path, access.User{Name: "zhang", Role: access.Agent})
		find("zhang", true)
		unread("")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		find("zhang", false)
		unread("gone")
	})
}

func TestRates(t *testing.T) {
	begun := time.Unix(1_000_000, 0)
	r := access.NewRates(time.Minute, 3)
	take := func(name string, after time.Duration) bool { return r.Take(name, 2, begun.Add(after)) == 0 }
	for i, tt := range []struct {
		name  string
		after time.Duration
		ok    bool
	}{
		{"a", 0, true}, {"a", time.Second, true}, {"a", 2 * time.Second, false}, {"a", 61 * time.Second, false},
		{"a", 91 * time.Second, true}, {"a", 92 * time.Second, false}, {"a", 10 * time.Minute, true},
		{"b", 10 * time.Minute, true}, {"c", 10 * time.Minute, true},
		{"d", 10 * time.Minute, false}, // many names at once
		{"d", 13 * time.Minute, true},  // the names before are forgotten
	} {
		if got := take(tt.name, tt.after); got != tt.ok {
			t.Errorf("%d: %s after %s: %v, want %v", i, tt.name, tt.after, got, tt.ok)
		}
	}
}

// Waiting as long as Take says is enough, and Take says no more than two spans.
func TestRatesSayHowLong(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for most := 1; most <= 7; most++ {
		r := access.NewRates(time.Minute, 10)
		for taken := range 50 {
			wait := r.Take("a", most, now)
			if wait > 2*time.Minute {
				t.Fatalf("most %d: wait %s", most, wait)
			}
			if wait > 0 {
				now = now.Add(wait)
				if again := r.Take("a", most, now); again > 0 {
					t.Fatalf("most %d, %d taken: after %s wait %s more", most, taken, wait, again)
				}
			}
			now = now.Add(time.Second)
		}
	}
}

func TestThrottle(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	th := access.NewThrottle()
	tried := 0
	for ; th.Try("li", "192.0.2.1", now) == 0; tried++ {
	}
	if tried != 5 {
		t.Errorf("%d tries for one account", tried)
	}
	if th.Try("li", "192.0.2.2", now) == 0 {
		t.Error("another address may go on guessing")
	}
	if th.Try("zhang", "192.0.2.1", now) > 0 {
		t.Error("another account of the address waits")
	}
	for i := 0; th.Try(fmt.Sprint("user", i), "192.0.2.1", now) == 0; i++ {
		if i > 100 {
			t.Fatal("one address may guess at as many accounts as it likes")
		}
	}
	th.Passed("li")
	if th.Try("li", "192.0.2.9", now) > 0 {
		t.Error("the right password does not help")
	}
}

// A name that a stranger types costs no more memory than a name: neither all of a long name, nor
// the form that holds it, is kept.
func TestTriesTakeLittleMemory(t *testing.T) {
	throttle, now := access.NewThrottle(), time.Now()
	const tries = 1000
	before := heap()
	for i := range tries {
		address, form := fmt.Sprint(i), fmt.Sprintf("name=%08d", i)+strings.Repeat("x", 60<<10)
		throttle.Try(form, address, now)       // a name that fills the form
		throttle.Try(form[5:13], address, now) // a short name, cut out of a form
	}
	if took := heap() - before; took > 4<<20 {
		t.Errorf("%d forms left %d KiB in memory", tries, took>>10)
	}
	runtime.KeepAlive(throttle)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
