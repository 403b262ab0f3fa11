// Package memory is what a member remembers of answers: the position of each in the log, until when
// it may be used, and the bodies of those that were read lately.
//
// An [Index] holds one slot of 32 bytes for each key: a million answers take 40 MB, without a
// pointer for the garbage collector to follow. [Bodies] holds a bounded number of bytes of answers.
// Any other body is read from the log again, once for all readers that want it at the same time.
//
// Times are durations on one monotonic clock, whose zero the caller chooses: nothing here reads a
// clock.
package memory
