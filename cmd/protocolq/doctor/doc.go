// Package doctor finds what is wrong around a worker, a recorder or an HTTP door, with the settings
// that it would start with, and says how to cure each fault. It changes nothing: it tests forbidden
// actions in a form that a server refuses even to a user with the right.
package doctor
