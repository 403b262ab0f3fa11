// The one program: reads settings, wires the parts together, and ends with an exit code that
// scripts can trust.
package main

import (
	"os"
)

func main() {
	os.Exit(run(os.Args[1:]))
}
