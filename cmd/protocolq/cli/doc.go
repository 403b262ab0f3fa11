// Package cli is the manners of a command line, for every command alike: how it ends (exit codes,
// Report), what -o prints (Output, Rows, CSV), what is asked of the person at the terminal, and how
// text from outside is made fit to be shown. It knows no NATS and no gateway.
package cli
