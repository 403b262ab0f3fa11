//go:build unix

// Package verdict has the evidence of a torture run, and the checks that judge by it alone. It
// decodes and folds the journal by hands that are not the worker's, starts nothing and asks nobody.
package verdict
