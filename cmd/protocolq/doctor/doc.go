// Package doctor finds what is wrong around a worker, a recorder or an HTTP door, with the settings
// that it would start with, and says of each fault how it is cured. Nothing that it does changes
// anything: what it must not be able to do it tries in a form that a server refuses even from who
// may.
package doctor
