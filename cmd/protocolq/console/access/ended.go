// Sessions that were ended early: their cookies may have been copied.

package access

import (
	"sync"
	"time"
)

// mostEnded bounds the sessions that are kept one by one, some 100 bytes each.
const mostEnded = 20_000

// ended keeps ended sessions until their cookies would have expired. Its zero value has none.
type ended struct {
	mu       sync.Mutex       // guards the rest
	sessions map[string]int64 // id -> until, in unix seconds
	users    map[string]int64 // name -> all begun before, in unix milliseconds
}

func (e *ended) has(s Session) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, one := e.sessions[s.ID]
	return one || s.From <= e.users[s.Name]
}

// add ends one session, or all sessions of its user. If there is no room for one more session it
// ends all of the user's: there are fewer users than sessions, because names are those of the file.
func (e *ended) add(s Session, all bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sessions == nil {
		e.sessions, e.users = map[string]int64{}, map[string]int64{}
	}
	if len(e.sessions) >= mostEnded || len(e.users) >= mostUsers {
		e.sweep(now)
	}
	if all || len(e.sessions) >= mostEnded {
		e.users[s.Name] = now.UnixMilli()
		return
	}
	e.sessions[s.ID] = s.Until
}

// sweep forgets sessions that have expired by now.
func (e *ended) sweep(now time.Time) {
	for id, until := range e.sessions {
		if until <= now.Unix() {
			delete(e.sessions, id)
		}
	}
	for name, before := range e.users {
		if time.UnixMilli(before).Add(SessionLife).Before(now) {
			delete(e.users, name)
		}
	}
}
