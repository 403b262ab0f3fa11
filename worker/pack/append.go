// Writing: functions that append one value.

// Package pack reads and writes MessagePack for the journal and the lines of the query log, which
// every query passes through several times. Reflection would cost an allocation for each field, and
// 13 bytes can make the msgpack library ask for 4 GB of memory. Messages from outside have their
// own, stricter reader in package messages.
package pack

import "encoding/binary"

// ListHead is the first byte of a list that AppendList began.
const ListHead = 0xdc

// AppendNil appends nil.
func AppendNil(b []byte) []byte { return append(b, nilHead) }

// AppendText appends a text.
func AppendText(b []byte, s string) []byte {
	if n := len(s); n < 32 {
		b = append(b, 0xa0|byte(n))
	} else {
		b = appendSize(b, 0xd9, n)
	}
	return append(b, s...)
}

// AppendBytes appends bytes.
func AppendBytes(b, v []byte) []byte { return append(appendSize(b, 0xc4, len(v)), v...) }

// appendSize appends a length in 1, 2 or 4 bytes after its head; narrowest is the head byte of the
// first.
func appendSize(b []byte, narrowest byte, n int) []byte {
	switch {
	case n < 1<<8:
		return append(b, narrowest, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, narrowest+1), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, narrowest+2), uint32(n))
}

// AppendInt appends a whole number in as few bytes as it takes.
func AppendInt(b []byte, n int64) []byte {
	switch {
	case -32 <= n && n < 128:
		return append(b, byte(n))
	case n == int64(int16(n)):
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(n))
	case n == int64(int32(n)):
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

// AppendFlag appends true or false.
func AppendFlag(b []byte, v bool) []byte {
	if v {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

// AppendMap begins a map of n names, fewer than 65,536, each with its value. SetCount changes n.
func AppendMap(b []byte, n int) []byte { return append(b, 0xde, byte(n>>8), byte(n)) }

// AppendList begins a list of n values, fewer than 65,536. SetCount changes n.
func AppendList(b []byte, n int) []byte { return append(b, ListHead, byte(n>>8), byte(n)) }

// SetCount makes n the count of the map or list that AppendMap or AppendList began at b[0].
func SetCount(b []byte, n int) { b[1], b[2] = byte(n>>8), byte(n) }
