// Package serve runs one worker, from its settings to its end. The command worker runs one, dev and
// demo several in one process.
package serve
