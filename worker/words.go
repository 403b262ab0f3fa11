// What each code means and what to do about it: the one place to look up any code.

package worker

import (
	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
)

// Words explain one code to a person, in English and Chinese.
type Words struct {
	// Code is as in messages.Result.Code.
	Code string `json:"code"`
	// Class says what may be done about the code.
	Class mapi.Class `json:"class"`
	// Retryable follows from Class: to ask the same again later can help.
	Retryable bool `json:"retryable"`
	// MeaningEN and MeaningZH say what happened. MeaningEN has no semicolon, so that Message can be
	// split at a semicolon.
	MeaningEN string `json:"meaning_en"`
	MeaningZH string `json:"meaning_zh"`
	// DoEN and DoZH say what to do about it.
	DoEN string `json:"do_en"`
	DoZH string `json:"do_zh"`
}

// Message is meaning and advice in English, as in messages.Result.Message.
func (w Words) Message() string { return w.MeaningEN + "; " + w.DoEN }

// Lookup explains a code of the gateway, of its client or of the worker. For an unknown code, known
// is false and the words can still be shown: class Unlisted, general in both languages.
func Lookup(code string) (w Words, known bool) {
	if c, ok := messages.LookupCode(code); ok {
		class := mapi.Input
		if c.Retryable() {
			class = mapi.Temp
		}
		return Words{c.Name, class, class.Retryable(), c.MeaningEN, c.MeaningZH, c.DoEN, c.DoZH}, true
	}
	c, known := gateway.Lookup(code)
	return Words{code, c.Class, c.Class.Retryable(), c.MeaningEN, c.MeaningZH, c.DoEN, c.DoZH}, known
}
