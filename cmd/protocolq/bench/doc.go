// Package bench is the command that loads a fleet at a fixed rate and compares two such runs.
// Package load has the schedule; this package decides what is asked and what is printed.
package bench
