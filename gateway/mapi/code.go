// Classes of the gateway's error codes, and the look-up of a code in the table.

package mapi

import (
	"slices"
	"strings"
)

// Class says what may be done about a code. The zero Class is invalid: no code has it, and its use
// is a mistake in a program.
type Class int

// The classes.
const (
	Biz      Class = iota + 1 // an answer, final
	Input                     // what the asker sent is wrong
	Conf                      // our account, key or contract: every query of the partner will fail, alarm
	Bug                       // our program is wrong
	Temp                      // ask again later
	Unlisted                  // in no table: keep the text, alarm once, do not retry, never "not signed"
)

var classNames = [...]string{"INVALID", "BIZ", "INPUT", "CONF", "BUG", "TEMP", "UNLISTED"}

// String returns BIZ, INPUT, CONF, BUG, TEMP or UNLISTED, and INVALID for any other number.
func (c Class) String() string {
	if c < 0 || int(c) >= len(classNames) {
		c = 0
	}
	return classNames[c]
}

// Retryable reports whether asking the same again later can help.
func (c Class) Retryable() bool { return c == Temp }

// MarshalText makes logs and JSON show the name.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Code is one error code of the gateway with texts for a person, in English and Chinese.
type Code struct {
	Name                 string // as on the wire, the gateway's own misspellings included
	Class                Class
	MeaningEN, MeaningZH string // what it means, by the gateway
	DoEN, DoZH           string // what to do about it
}

// Lookup finds a code by its exact name. For an unknown code it returns false and a Code that can
// still be shown: Class Unlisted and general texts.
func Lookup(code string) (Code, bool) {
	i, ok := slices.BinarySearchFunc(codes, code,
		func(c Code, name string) int { return strings.Compare(c.Name, name) })
	if ok {
		return codes[i], true
	}
	return Code{
		code, Unlisted,
		"a code that is in no table", "未列入对照表的错误码",
		"do not ask again by itself and do not read it as not signed; look it up in the gateway's documents or ask " +
			"Alipay's technical support",
		"不要自动重试，也不要当作未签约；请查阅接口文档或联系支付宝技术支持",
	}, false
}

// Codes returns the whole table, sorted by name. The caller may change it.
func Codes() []Code { return slices.Clone(codes) }
