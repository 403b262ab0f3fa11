// Package cli is the behavior that all commands share: how a command ends (exit codes, Report),
// what -o prints (Output, Rows, CSV), how it asks the person at the terminal, and how text from
// outside is made safe to show. It knows neither NATS nor the gateway.
package cli
