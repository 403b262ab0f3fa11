//go:build unix

// Package verdict has the evidence of a chaos test, and the checks that use nothing else. It
// decodes and folds the journal with its own code, not the worker's, starts nothing and sends no
// requests.
package verdict
