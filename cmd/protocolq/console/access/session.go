// Sessions: a signed cookie that names the user, the end of the session and the password behind it.

package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// SessionLife is how long a session lasts, a working day.
const SessionLife = 12 * time.Hour

// Session is the content of the cookie. Role, partners and quota are not in it: they come from the
// file.
type Session struct {
	ID    string `json:"i"`
	Name  string `json:"n"`
	From  int64  `json:"f"` // unix milliseconds
	Until int64  `json:"u"` // unix seconds
	// Print is a fingerprint of the user's row. A new password ends the sessions of the old one, and
	// another user of the same name cannot use the sessions of the first.
	Print string `json:"p"`
}

// Sealer signs and checks cookies, and remembers the sessions that were ended early.
type Sealer struct {
	key   []byte
	ended ended
}

// NewSealer takes a key of at least 32 bytes. Without a key it makes its own, which ends with the
// process.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) == 0 {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // never fails
	}
	if len(key) < 32 {
		return nil, errors.New("the session key is shorter than 32 bytes")
	}
	return &Sealer{key: key}, nil
}

// Seal makes the value of a cookie from v. purpose keeps one kind of cookie from passing as
// another.
func (s *Sealer) Seal(purpose string, v any) string {
	data, _ := json.Marshal(v) // plain structs
	body := base64.RawURLEncoding.EncodeToString(data)
	return body + "." + base64.RawURLEncoding.EncodeToString(s.sum(purpose, body))
}

// Open reads what Seal made. It returns false if the value is not ours.
func (s *Sealer) Open(purpose, value string, v any) bool {
	body, mac, ok := strings.Cut(value, ".")
	if !ok || len(value) > 4096 {
		return false
	}
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(sum, s.sum(purpose, body)) {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(body)
	return err == nil && json.Unmarshal(data, v) == nil
}

func (s *Sealer) sum(purpose, body string) []byte {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(purpose + "\x00" + body))
	return mac.Sum(nil)
}

// fingerprint distinguishes the passwords of a user, without showing any of them.
func (s *Sealer) fingerprint(u User) string {
	return base64.RawURLEncoding.EncodeToString(s.sum("password", u.Key()+"\x00"+u.Password)[:12])
}

const sessionPurpose = "session"

// Begin returns the cookie of a new session.
func (s *Sealer) Begin(u User, now time.Time) string {
	return s.Seal(sessionPurpose, Session{ID: rand.Text(), Name: u.Name, From: now.UnixMilli(),
		Until: now.Add(SessionLife).Unix(), Print: s.fingerprint(u)})
}

// Resume returns the user of a session as the file has it now, or false if the session has ended.
func (s *Sealer) Resume(users *Users, cookie string, now time.Time) (User, bool) {
	session, ok := s.session(cookie, now)
	if !ok || s.ended.has(session) {
		return User{}, false
	}
	u, ok := users.Find(session.Name)
	return u, ok && session.Print == s.fingerprint(u) && session.From >= u.SessionsFrom.UnixMilli()
}

func (s *Sealer) session(cookie string, now time.Time) (session Session, ok bool) {
	ok = s.Open(sessionPurpose, cookie, &session) && now.Unix() < session.Until && session.ID != ""
	return session, ok
}

// End ends a session, or all sessions that its user has begun until now, so that copies of the
// cookie are worth nothing. It counts only in this process and while the process runs;
// [User.SessionsFrom] counts in every process.
func (s *Sealer) End(cookie string, all bool, now time.Time) {
	if session, ok := s.session(cookie, now); ok && !s.ended.has(session) {
		s.ended.add(session, all, now)
	}
}
