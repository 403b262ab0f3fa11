// The gateway's error codes: what each means and what may be done about it.

package mapi

// Class says what may be done about a code. The zero Class is invalid.
type Class int

// The classes.
const (
	Biz      Class = iota + 1 // an answer, final
	Input                     // the asker's data is wrong
	Conf                      // our account, key or contract: every query of the partner will fail
	Bug                       // our program is wrong
	Temp                      // ask again later
	Unlisted                  // in no table: not retried by itself, never "not signed"
)

var classNames = [...]string{"INVALID", "BIZ", "INPUT", "CONF", "BUG", "TEMP", "UNLISTED"}

// String gives BIZ, INPUT, CONF, BUG, TEMP or UNLISTED; INVALID for the rest.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		c = 0
	}
	return classNames[c]
}

// MarshalText makes logs and JSON show the name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Code is one error code with words for a person, in English and Chinese.
type Code struct {
	Name                 string // as on the wire, the gateway's own misspellings too
	Class                Class
	MeaningEN, MeaningZH string // what the gateway says with it
	DoEN, DoZH           string // what to do about it
}

// Lookup finds a code by its exact name.
func Lookup(code string) (Code, bool) { return Code{Name: code, Class: Unlisted}, false }

// Codes gives the whole table, sorted by name.
func Codes() []Code { return nil }
