// The index against a map, and what a slot holds.

package memory_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"protocolq/worker/journal"
	"protocolq/worker/memory"
)

func key(n uint64) (k journal.Key) {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, n))
	copy(k[:], sum[:])
	return k
}

func TestIndexIsAMap(t *testing.T) {
	for _, clash := range []bool{false, true} {
		many, draw := uint64(4000), rand.New(rand.NewPCG(1, 2))
		if clash {
			many = 300
		}
		var x memory.Index
		want := map[journal.Key]memory.Answer{}
		for step := range 30_000 {
			k := key(draw.Uint64N(many))
			if clash { // all in one table, and close together there
				clear(k[:3])
			}
			switch draw.IntN(3) {
			case 0, 1:
				a := memory.Answer{At: journal.Ref{Position: 1 + draw.Uint64N(1<<48-1), Index: uint16(draw.IntN(1 << 15))}, Copied: draw.IntN(2) == 0,
					Question: draw.Uint32(), Expires: time.Duration(draw.Uint32()) * memory.Tick}
				x.Put(k, a)
				want[k] = a
			case 2:
				x.Delete(k)
				delete(want, k)
			}
			if step%2000 == 0 {
				same(t, &x, want)
			}
		}
		same(t, &x, want)
	}
}

func same(t *testing.T, x *memory.Index, want map[journal.Key]memory.Answer) {
	t.Helper()
	if x.Len() != len(want) {
		t.Fatalf("holds %d, want %d", x.Len(), len(want))
	}
	for k, a := range want {
		if got, ok := x.Get(k); !ok || got != a {
			t.Fatalf("%x: %v %v, want %v", k, got, ok, a)
		}
	}
	n := 0
	for k, a := range x.All {
		if n++; want[k] != a {
			t.Fatalf("%x: listed as %v, want %v", k, a, want[k])
		}
	}
	if n != len(want) {
		t.Fatalf("%d are listed, want %d", n, len(want))
	}
}

func TestIndexForgetsWhatHasExpired(t *testing.T) {
	var x memory.Index
	for n := range uint64(5000) {
		x.Put(key(n), memory.Answer{At: journal.Ref{Position: 1, Index: 1}, Expires: time.Duration(n) * time.Second})
	}
	part := 0
	for {
		if part = x.Forget(part, 2000*time.Second); part == 0 {
			break
		}
	}
	if x.Len() != 3000 {
		t.Errorf("%d are left, want 3000", x.Len())
	}
	for n := range uint64(5000) {
		if _, ok := x.Get(key(n)); ok != (n >= 2000) {
			t.Fatalf("%d is held: %v", n, ok)
		}
	}
}

func TestIndexNeverLengthensALife(t *testing.T) {
	for _, c := range []struct{ given, want time.Duration }{
		{-time.Second, 0}, {0, 0}, {memory.Tick - 1, 0}, {memory.Tick, memory.Tick}, {time.Hour + 1, time.Hour}, {1 << 62, (1<<32 - 1) * memory.Tick},
	} {
		var x memory.Index
		x.Put(key(1), memory.Answer{At: journal.Ref{Position: 1}, Expires: c.given})
		if a, _ := x.Get(key(1)); a.Expires != c.want {
			t.Errorf("%v: expires at %v, want %v", c.given, a.Expires, c.want)
		}
	}
}

func TestIndexIsSmall(t *testing.T) {
	const n = 200_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := new(memory.Index)
	for i := range uint64(n) {
		k := journal.Key{byte(i), byte(i >> 8)}
		binary.BigEndian.PutUint64(k[1:], i*0x9e3779b97f4a7c15)
		x.Put(k, memory.Answer{At: journal.Ref{Position: i + 1}})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := (after.HeapAlloc - before.HeapAlloc) / n; per > 48 || x.Len() != n {
		t.Errorf("%d answers take %d bytes each, want at most 48", x.Len(), per)
	}
	runtime.KeepAlive(x)
}

func BenchmarkIndexPut(b *testing.B) {
	var x memory.Index
	keys := make([]journal.Key, 1<<16)
	for i := range keys {
		keys[i] = key(uint64(i))
	}
	for i := 0; b.Loop(); i++ {
		x.Put(keys[i%len(keys)], memory.Answer{At: journal.Ref{Position: uint64(i) + 1}})
	}
}
