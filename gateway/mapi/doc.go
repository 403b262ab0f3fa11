// The contract of the package on one page, to be read first.

// Package mapi speaks the protocol of Alipay's mapi gateway: it turns parameters
// into the text that is signed, signs it, writes the form body, and reads and
// verifies the XML that comes back. It does no I/O and reads no clock, so that all
// of it can be compared with recorded examples (testdata/vectors.json).
//
//	Params ── StringToSign ──► text ── Charset.Encode ──► bytes ── Key.Sign ──► sign
//	   └───── Key.Signed ────► Params with sign ── Body ──► the form that is posted
//
//	bytes ── ParseAnswer ──► Answer ── Answer.Verify ──► verified, unsigned or bad
//	                            └───── Answer.Get("error") ── Lookup ──► Code, Class
//
//	a signature that does not verify ── Diagnose ──► the mistake with which it would
//
// The package follows three rules:
//
//   - Nothing is guessed. A character that the charset cannot hold, a repeated
//     parameter, or an answer that is not plain and complete XML is an error. It
//     never becomes a question mark, the last of several values, or half an answer.
//   - Keys print as "[redacted]", and an error about a key or a parameter never
//     repeats its value.
//   - The [Class] of a gateway's code says what may be done about it; no code has
//     the zero Class.
package mapi
