// Reading an answer: a strict, bounded pass over its XML.

package mapi

import "errors"

// MaxAnswer is the size in bytes above which an answer is not read.
const MaxAnswer = 256 << 10

// Answer is one answer of the gateway. The zero Answer has no fields.
type Answer struct {
	root, response, request Params // response is nil when there is no such element
	encoding                string
	fellBack                bool
}

// ParseAnswer reads an answer; the Answer is zero when there is an error.
func ParseAnswer(body []byte) (Answer, error) { return Answer{}, errors.New("read answer: to be written") }

// Get gives a field: first one directly under the root, then one under
// response or its wrapper.
func (a Answer) Get(name string) (string, bool) {
	if v, ok := find(a.root, name); ok {
		return v, true
	}
	return find(a.response, name)
}

// Request gives one of the parameters that the answer repeats from the request.
func (a Answer) Request(name string) (string, bool) { return find(a.request, name) }

// Encoding gives the declared encoding in the spelling of the answer.
func (a Answer) Encoding() string { return a.encoding }

// FellBack says that the answer's bytes were not in the declared encoding.
func (a Answer) FellBack() bool { return a.fellBack }

func find(p Params, name string) (string, bool) {
	for _, q := range p {
		if q.Name == name {
			return q.Value, true
		}
	}
	return "", false
}
