// Package bench is the command that loads a fleet at a fixed rate and compares two such runs. The
// schedule is package load's; here is what is asked, and what is printed.
package bench
