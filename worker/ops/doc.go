// Package ops shows a running process to those who run it: whether it can be asked (/livez,
// /readyz, /startupz) and what it does, in figures (/metrics). It answers over HTTP if it is
// given an address to listen on; without one, only the log says that a process stays unready.
//
// Nothing here says whom a query was about: no label, no text has an e-mail, an account, a key or
// an inbox in it. Labels come from lists that are fixed before the process starts.
package ops
