// Package ask is the commands that ask one question: query and submit over NATS, call and form
// without a queue, and sign and verify, which show what a signature covers.
package ask
