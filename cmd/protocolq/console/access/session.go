// Sessions: a signed cookie that says who, until when, and by which password.

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

// Session is what the cookie says. Role, partners and quota are not in it: they are the file's.
type Session struct {
	ID    string `json:"i"`
	Name  string `json:"n"`
	From  int64  `json:"f"` // unix milliseconds
	Until int64  `json:"u"` // unix seconds
	// Print is of the user's row: a new password ends the sessions of the old one, and another user of
	// the same name has none of the first.
	Print string `json:"p"`
}

// Sealer signs and checks cookies, and keeps which sessions were ended before their time.
type Sealer struct {
	key   []byte
	ended ended
}

// NewSealer takes a key of at least 32 bytes; without one it makes its own, which ends with the
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

// Seal makes a cookie's value of v; purpose keeps one kind of cookie from being taken for another.
func (s *Sealer) Seal(purpose string, v any) string {
	data, _ := json.Marshal(v) // plain structs
	body := base64.RawURLEncoding.EncodeToString(data)
	return body + "." + base64.RawURLEncoding.EncodeToString(s.sum(purpose, body))
}

// Open reads what Seal made; false when it is not ours.
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

// fingerprint tells one password of a user from the next, and shows neither.
func (s *Sealer) fingerprint(u User) string {
	return base64.RawURLEncoding.EncodeToString(s.sum("password", u.Key()+"\x00"+u.Password)[:12])
}

const sessionPurpose = "session"

// Begin is the cookie of a new session.
func (s *Sealer) Begin(u User, now time.Time) string {
	return s.Seal(sessionPurpose, Session{ID: rand.Text(), Name: u.Name, From: now.UnixMilli(),
		Until: now.Add(SessionLife).Unix(), Print: s.fingerprint(u)})
}

// Resume gives the user of a session as the file has them now; false when the session has ended.
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

// End ends a session, or all that its user has begun until now: a copy of the cookie is worth
// nothing any more. It counts in this process and for as long as it runs; [User.SessionsFrom]
// counts in every one.
func (s *Sealer) End(cookie string, all bool, now time.Time) {
	if session, ok := s.session(cookie, now); ok && !s.ended.has(session) {
		s.ended.add(session, all, now)
	}
}
