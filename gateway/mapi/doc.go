// The contract of the package in one page, for who reads it first.

// Package mapi speaks the words of Alipay's mapi gateway: it turns parameters
// into the text that is signed, signs it, writes the form body, and reads and
// verifies the XML that comes back. It does no I/O and knows no clock, so all
// of it can be held against recorded examples (testdata/vectors.json).
//
//	Params ── StringToSign ──► text ── Charset.Encode ──► bytes ── Key.Sign ──► sign
//	   └───── Key.Signed ────► Params with sign ── Body ──► the form that is posted
//
//	bytes ── ParseAnswer ──► Answer ── Answer.Verify ──► verified, unsigned or bad
//	                            └───── Answer.Get("error") ── Lookup ──► Code, Class
//
//	a sign that does not verify ── Diagnose ──► the mistake with which it would
//
// Three rules run through it:
//
//   - Nothing is guessed. A character the charset cannot hold, a repeated
//     parameter or an answer that is not plain, whole XML is an error, never a
//     question mark, a last-one-wins or a partly filled answer.
//   - Keys say "[redacted]" however they are printed, and an error about a key
//     or about a parameter never repeats its value.
//   - What a code of the gateway allows to be done is its [Class]; the zero
//     Class belongs to no code.
package mapi
