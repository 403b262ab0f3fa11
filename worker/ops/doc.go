// Package ops shows a running process to its operators: whether it is ready (/livez, /readyz,
// /startupz) and what it does, in figures (/metrics). It answers over HTTP if it has an address to
// listen on; without one, only the log says that a process stays unready.
//
// Nothing here names the person of a query: no label and no text has an e-mail, an account, a key
// or an inbox. Labels come from lists that are fixed before the process starts.
package ops
