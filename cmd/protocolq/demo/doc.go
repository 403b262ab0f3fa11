// Package demo is the commands that need no other program: demo, dev and the practice gateway.
package demo
