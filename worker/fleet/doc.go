// Package fleet folds the journal into what all members of a fleet agree on, and decides from it.
package fleet
