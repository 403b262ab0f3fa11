// Package demo is the commands that need nothing: demo, dev and the practice gateway.
package demo
