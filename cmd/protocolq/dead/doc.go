// Package dead is the commands about dead letters: list, show, redrive and discard.
package dead
