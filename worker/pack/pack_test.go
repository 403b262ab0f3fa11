// What is written is read, here and by the msgpack library; and no length is believed.

package pack_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"protocolq/worker/pack"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	texts := []string{"", "a", strings.Repeat("机", 10), strings.Repeat("a", 31), strings.Repeat("a", 32), strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("a", 65_535), strings.Repeat("a", 65_536)}
	numbers := []int64{0, 1, 127, 128, -1, -32, -33, math.MaxInt16, math.MinInt16, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	b := pack.AppendMap(nil, 0)
	pack.SetCount(b, 4)
	b = pack.AppendList(pack.AppendText(b, "texts"), len(texts))
	for _, v := range texts {
		b = pack.AppendBytes(pack.AppendText(b, v), []byte(v))
	}
	pack.SetCount(b[len(b)-bytesOf(texts)-3:], 2*len(texts))
	b = pack.AppendList(pack.AppendText(b, "numbers"), len(numbers))
	for _, n := range numbers {
		b = pack.AppendInt(b, n)
	}
	b = pack.AppendNil(pack.AppendText(b, "nothing"))
	b = pack.AppendFlag(pack.AppendText(b, "yes"), true)

	r := pack.NewReader(b)
	equal(t, r.Map(), 4)
	equal(t, r.Text(), "texts")
	equal(t, r.List(), 2*len(texts))
	for _, v := range texts {
		equal(t, r.Text(), v)
		equal(t, string(r.Bytes()), v)
	}
	equal(t, r.Text(), "numbers")
	at := r.At()
	r.Skip()
	equal(t, r.Text(), "nothing")
	equal(t, r.Nil(), true)
	equal(t, r.Nil(), false)
	equal(t, r.Text(), "yes")
	equal(t, r.Flag(), true)
	equal(t, r.Left(), 0)
	r.Seek(at)
	equal(t, r.List(), len(numbers))
	for _, n := range numbers {
		equal(t, r.Int(), n)
	}
	equal(t, r.Err(), nil)

	var theirs map[string]any
	if err := msgpack.Unmarshal(b, &theirs); err != nil {
		t.Fatal(err)
	}
	for i, v := range texts {
		equal(t, theirs["texts"].([]any)[2*i], any(v))
		equal(t, string(theirs["texts"].([]any)[2*i+1].([]byte)), v)
	}
	for i, n := range numbers {
		if got := reflect.ValueOf(theirs["numbers"].([]any)[i]).Int(); got != n {
			t.Errorf("the library reads %d as %d", n, got)
		}
	}
	equal(t, theirs["yes"], any(true))
}

// A number takes the bytes of the narrowest kind with sign that holds it.
func TestNumbersAreShort(t *testing.T) {
	for n, want := range map[int64]int{0: 1, 127: 1, 128: 3, math.MaxInt16: 3, math.MaxInt16 + 1: 5, math.MaxInt32: 5, math.MaxInt32 + 1: 9, math.MaxInt64: 9,
		-1: 1, -32: 1, -33: 3, math.MinInt16: 3, math.MinInt16 - 1: 5, math.MinInt32: 5, math.MinInt32 - 1: 9, math.MinInt64: 9} {
		b := pack.AppendInt(nil, n)
		r := pack.NewReader(b)
		if got := r.Int(); len(b) != want || got != n || r.Err() != nil || r.Left() != 0 {
			t.Errorf("%d takes %d bytes, want %d; read as %d, %v", n, len(b), want, got, r.Err())
		}
	}
}

// bytesOf is what the texts take, each as a text and as bytes.
func bytesOf(texts []string) (n int) {
	for _, v := range texts {
		n += len(pack.AppendBytes(pack.AppendText(nil, v), []byte(v)))
	}
	return n
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %.80v, want %.80v", got, want)
	}
}

// What the library writes in other forms is read, too.
func TestFormsOfTheLibrary(t *testing.T) {
	for _, n := range []int64{5, 200, 60_000, 4_000_000_000, math.MaxInt64, -5, -100, -30_000, -2_000_000_000, math.MinInt64} {
		b, err := msgpack.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		r := pack.NewReader(b)
		equal(t, r.Int(), n)
		equal(t, r.Err(), nil)
		var compact bytes.Buffer
		e := msgpack.NewEncoder(&compact)
		e.UseCompactInts(true)
		if err := e.EncodeInt(n); err != nil {
			t.Fatal(err)
		}
		r = pack.NewReader(compact.Bytes())
		equal(t, r.Int(), n)
		equal(t, r.Left(), 0)
	}
}

func TestRefused(t *testing.T) {
	bomb := "\xdd\xff\xff\xff\xff"
	for _, c := range []struct {
		name, in string
		read     func(*pack.Reader)
		want     string
	}{
		{"nothing", "", func(r *pack.Reader) { r.Text() }, "ends in the middle of a value"},
		{"text too short", "\xd9\x05abcd", func(r *pack.Reader) { r.Text() }, "ends in the middle of a value"},
		{"text of 4 GB", "\xdb\xff\xff\xff\xff", func(r *pack.Reader) { r.Text() }, "ends in the middle of a value"},
		{"half a length", "\xda\x01", func(r *pack.Reader) { r.Text() }, "ends in the middle of a value"},
		{"bytes of 4 GB", "\xc6\xff\xff\xff\xff", func(r *pack.Reader) { r.Bytes() }, "ends in the middle of a value"},
		{"list of 4 G", bomb, func(r *pack.Reader) { r.List() }, "ends in the middle of a value"},
		{"map of 4 G", "\xdf\xff\xff\xff\xff", func(r *pack.Reader) { r.Map() }, "ends in the middle of a value"},
		{"list of 4 G passed over", bomb, (*pack.Reader).Skip, "ends in the middle of a value"},
		{"text for a number", "\xa1a", func(r *pack.Reader) { r.Int() }, "is of another kind"},
		{"number beyond its sign", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", func(r *pack.Reader) { r.Int() }, "is of another kind"},
		{"half a number", "\xd3\x00", func(r *pack.Reader) { r.Int() }, "ends in the middle of a value"},
		{"nil for a flag", "\xc0", func(r *pack.Reader) { r.Flag() }, "is of another kind"},
		{"list for a map", "\x90", func(r *pack.Reader) { r.Map() }, "is of another kind"},
		{"as deep as may be", strings.Repeat("\x91", 8-1) + "\xc0", (*pack.Reader).Skip, ""},
		{"too deep", strings.Repeat("\x91", 8) + "\xc0", (*pack.Reader).Skip, "has 8 or more levels of maps and lists"},
	} {
		r := pack.NewReader([]byte(c.in))
		c.read(r)
		if err := r.Err(); err == nil && c.want != "" || err != nil && err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	for name, in := range map[string]string{"not UTF-8": "\xa1\xff", "a byte without a meaning": "\xc1", "an extension": "\xd4\x00\x00"} {
		r := pack.NewReader([]byte(in))
		if r.Text(); r.Err() == nil {
			t.Errorf("%s: taken for a text", name)
		}
		r = pack.NewReader([]byte(in))
		if r.Skip(); name != "not UTF-8" && r.Err() == nil {
			t.Errorf("%s: passed over", name)
		}
	}
}

// Bytes are the input's own, yet what is appended to them does not write into it.
func TestBytesOfTheInput(t *testing.T) {
	in := pack.AppendInt(pack.AppendBytes(nil, []byte{1, 2}), 3)
	r := pack.NewReader(in)
	b := r.Bytes()
	in[2] = 9
	equal(t, string(b), "\x09\x02")
	_ = append(b, 77)
	equal(t, r.Int(), 3)
}

// The first fault stays, whatever is read after it.
func TestFirstFaultStays(t *testing.T) {
	r := pack.NewReader([]byte("\x01\xa1a\x05"))
	mine := errors.New("mine")
	equal(t, r.Int(), 1)
	r.Fail(mine)
	r.Seek(1)
	equal(t, r.Text(), "")
	equal(t, r.Int(), 0)
	equal(t, r.Flag(), false)
	equal(t, r.Nil(), false)
	equal(t, r.Map()+r.List()+len(r.Bytes()), 0)
	r.Skip()
	r.Fail(errors.New("another"))
	equal(t, r.Err(), mine)
	equal(t, r.Left(), 0)
}

// FuzzReader: whatever bytes come, nothing is read beyond them, and what is passed over is one
// value for the library, too.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"", "\xc0", "\x81\xa1a\x92\x01\xcd\x01\x00", "\xde\x00\x01\xa1a\xc4\x02ab", "\xdd\xff\xff\xff\xff", "\xcb12345678", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xd9\x03abcx", "\xd4\x01\x02"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, read := range []func(*pack.Reader){
			func(r *pack.Reader) { r.Text() }, func(r *pack.Reader) { r.Bytes() }, func(r *pack.Reader) { r.Int() }, func(r *pack.Reader) { r.Flag() },
			func(r *pack.Reader) {
				for n := r.List(); n > 0 && r.Err() == nil; n-- {
					r.Skip()
				}
			},
			func(r *pack.Reader) {
				for n := r.Map(); n > 0 && r.Err() == nil; n-- {
					r.Text()
					r.Skip()
				}
			},
		} {
			one, all := pack.NewReader(in), pack.NewReader(in)
			read(one)
			all.Skip()
			if one.Err() == nil && all.Err() == nil && one.At() != all.At() { // in a list of its own a value may lie one level deeper
				t.Fatalf("%x: read %d bytes, passed over %d, %v", in, one.At(), all.At(), all.Err())
			}
		}
		theirs := func() *msgpack.Decoder { return msgpack.NewDecoder(bytes.NewReader(in)) }
		r := pack.NewReader(in)
		if v := r.Text(); r.Err() == nil {
			if want, err := theirs().DecodeString(); err != nil || v != want {
				t.Fatalf("%x: text %q, the library reads %q, %v", in, v, want, err)
			}
		}
		r = pack.NewReader(in)
		if v := r.Int(); r.Err() == nil {
			if want, err := theirs().DecodeInt64(); err != nil || v != want {
				t.Fatalf("%x: number %d, the library reads %d, %v", in, v, want, err)
			}
		}
		r = pack.NewReader(in)
		if v := r.Bytes(); r.Err() == nil {
			if want, err := theirs().DecodeBytes(); err != nil || !bytes.Equal(v, want) {
				t.Fatalf("%x: bytes %x, the library reads %x, %v", in, v, want, err)
			}
		}
		r = pack.NewReader(in)
		if r.Skip(); r.Err() != nil {
			return
		}
		rest := bytes.NewReader(in)
		if err := msgpack.NewDecoder(rest).Skip(); err != nil || rest.Len() != r.Left() {
			t.Fatalf("%x: %d bytes left, the library leaves %d, %v", in, r.Left(), rest.Len(), err)
		}
	})
}
