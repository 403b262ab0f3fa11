// Package journal is the log of a fleet: batches of entries that members append and everybody reads in one order.
package journal
