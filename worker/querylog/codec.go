// One walk over the fields of a line, which writes or reads them: MessagePack maps with short
// names, without zero values.

package querylog

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"protocolq/worker/pack"
)

// codec is in one of two states: writing appends to out, and reading reads the entries of the open
// map. The first fault stays in err.
type codec struct {
	writing bool
	out     []byte // writing
	fields  int    // writing: of the open map
	depth   int    // writing: how many maps are open
	place   int    // writing: position of the next field among all possible fields of the outermost map
	marking bool   // writing: marks are wanted
	marks   []mark // writing: the fields of the outermost map

	in      *pack.Reader // reading
	open    []entry      // reading: the entries of the open map
	entries []entry      // reading: the entries of all open maps, the outermost first
	words   words        // reading: short texts that were read before
	follows bool         // reading: a value may be nil, see followHead
	err     error
}

// entry is one name of a map, in the bytes of the line, and where its value begins.
type entry struct {
	name []byte
	at   int
}

// words are texts that occur often in a line, such as partners and outcomes: each is kept once. Nil
// keeps none.
type words map[string]string

// mostWords is how many words a line may have; further texts are copied.
const mostWords = 64

func (w words) of(b []byte) string {
	if s, ok := w[string(b)]; ok {
		return s
	}
	s := string(b)
	if w != nil && len(w) < mostWords {
		w[s] = s
	}
	return s
}

// mark is where a written field of a map is.
type mark struct {
	place    int
	from, at int // positions of its name and of its value
}

func newReading(data []byte) (*codec, error) {
	if len(data) > MaxLine {
		return nil, fmt.Errorf("%d bytes, at most %d", len(data), MaxLine)
	}
	return &codec{in: pack.NewReader(data)}, nil
}

// end reports the first fault, or bytes that follow the line.
func (c *codec) end() error {
	if c.err == nil && c.in.Left() > 0 {
		c.err = errors.New("more bytes follow the line")
	}
	return c.err
}

func (c *codec) fault(name string, err error) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %w", name, err)
	}
}

// object writes or reads one map, whose fields walk visits.
func (c *codec) object(walk func()) {
	if c.writing {
		outer, head := c.fields, len(c.out)
		c.out, c.fields = pack.AppendMap(c.out, 0), 0
		if c.depth++; c.depth == 1 {
			c.place, c.marks = 0, c.marks[:0]
		}
		walk()
		c.depth--
		pack.SetCount(c.out[head:], c.fields)
		c.fields = outer
		return
	}
	if c.err != nil {
		return
	}
	outer, n := c.open, len(c.entries)
	if c.open, c.err = c.mapping(); c.err == nil {
		end := c.in.At()
		walk()
		c.in.Seek(end)
	}
	c.open, c.entries = outer, c.entries[:n]
}

// maxNames bounds the names in one map: more than any version will send.
const maxNames = 64

// mapping reads a map's names and skips its values, but remembers their positions.
func (c *codec) mapping() ([]entry, error) {
	n := c.in.Map()
	if n > maxNames {
		return nil, fmt.Errorf("a map has %d names, at most %d", n, maxNames)
	}
	first := len(c.entries)
	for range n {
		e := entry{name: c.in.TextBytes(), at: c.in.At()}
		if err := c.in.Err(); err != nil {
			return nil, fmt.Errorf("a name: %w", err)
		}
		for _, earlier := range c.entries[first:] {
			if string(earlier.name) == string(e.name) {
				return nil, fmt.Errorf("%.40q comes twice", e.name)
			}
		}
		c.entries = append(c.entries, e)
		if c.in.Skip(); c.in.Err() != nil {
			return nil, fmt.Errorf("%.40q: %w", e.name, c.in.Err())
		}
	}
	return c.entries[first:], c.in.Err()
}

// name begins a field. It reports whether there is a value to write or to read. Reading continues
// at that value.
func (c *codec) name(name string, zero bool) bool {
	if c.writing {
		from := len(c.out)
		if !zero {
			c.fields++
			c.out = pack.AppendText(c.out, name)
		}
		if c.depth == 1 {
			if !zero && c.marking {
				c.marks = append(c.marks, mark{c.place, from, len(c.out)})
			}
			c.place++
		}
		return !zero
	}
	if c.err != nil {
		return false
	}
	for i := range c.open {
		if string(c.open[i].name) == name {
			c.in.Seek(c.open[i].at)
			return true
		}
	}
	return false
}

// none skips the nil that says that a field of the ask before is missing here, if a nil comes next.
// comes.
func (c *codec) none() bool {
	return c.follows && c.err == nil && c.in.Nil()
}

func (c *codec) text(name string, v *string, most int) {
	if !c.name(name, *v == "") {
		return
	}
	if c.writing {
		c.out = pack.AppendText(c.out, clean(*v, most))
		return
	}
	if c.none() {
		*v = ""
		return
	}
	b, err := c.in.TextBytes(), c.in.Err()
	s := ""
	if most == maxWord {
		s = c.words.of(b)
	} else {
		s = string(b)
	}
	if err == nil && clean(s, most) != s {
		err = fmt.Errorf("%d bytes, or not plain text", len(s))
	}
	if err != nil {
		c.fault(name, err)
		return
	}
	*v = s
}

func (c *codec) integer(name string, v *int64) {
	if !c.name(name, *v == 0) {
		return
	}
	if c.writing {
		c.out = pack.AppendInt(c.out, *v)
		return
	}
	if c.none() {
		*v = 0
		return
	}
	n, err := c.in.Int(), c.in.Err()
	if err != nil {
		c.fault(name, err)
		return
	}
	*v = n
}

// time is in milliseconds; the zero time is left out.
func (c *codec) time(name string, t *time.Time) {
	var n int64
	if !t.IsZero() {
		n = t.UnixMilli()
	}
	c.integer(name, &n)
	if c.writing {
		return
	}
	if n == 0 {
		*t = time.Time{}
		return
	}
	if *t = time.UnixMilli(n).UTC(); t.Before(earliest) || !t.Before(latest) {
		c.fault(name, errors.New("a time out of range"))
	}
}

// span is in microseconds.
func (c *codec) span(name string, d *time.Duration) {
	n := d.Microseconds()
	c.integer(name, &n)
	if n < 0 || n > math.MaxInt64/1000 {
		c.fault(name, errors.New("a duration out of range"))
		return
	}
	*d = time.Duration(n) * time.Microsecond
}

func (c *codec) count(name string, v *int) {
	n := int64(*v)
	c.integer(name, &n)
	if n < 0 || n > math.MaxInt32 {
		c.fault(name, errors.New("a count out of range"))
		return
	}
	*v = int(n)
}

func (c *codec) flag(name string, v *bool) {
	if !c.name(name, !*v) {
		return
	}
	if c.writing {
		c.out = pack.AppendFlag(c.out, true)
		return
	}
	b, err := c.in.Flag(), c.in.Err()
	if err != nil {
		c.fault(name, err)
		return
	}
	*v = b
}

// maybe is a flag that may be missing.
func (c *codec) maybe(name string, v **bool) {
	if !c.name(name, *v == nil) {
		return
	}
	if c.writing {
		c.out = pack.AppendFlag(c.out, **v)
		return
	}
	b, err := c.in.Flag(), c.in.Err()
	if err != nil {
		c.fault(name, err)
		return
	}
	*v = &b
}

// masked is a map of its own: mask, look-up id and the version of the key that made it.
func (c *codec) masked(name string, m *Masked) {
	if !c.name(name, m.IsZero()) {
		return
	}
	if !c.writing {
		if *m = (Masked{}); c.none() {
			return
		}
	}
	c.object(func() {
		c.text("m", &m.mask, maxMask)
		c.text("v", &m.version, maxWord)
		c.lookUp("h", &m.id)
	})
}

func (c *codec) lookUp(name string, id *LookUp) {
	if !c.name(name, *id == LookUp{}) {
		return
	}
	if c.writing {
		c.out = pack.AppendBytes(c.out, id[:])
		return
	}
	b, err := c.in.Bytes(), c.in.Err()
	if err == nil && len(b) != len(id) {
		err = fmt.Errorf("%d bytes, not %d", len(b), len(id))
	}
	if err != nil {
		c.fault(name, err)
		return
	}
	copy(id[:], b)
}

func (c *codec) attempts(name string, list *[]Attempt) {
	if !c.name(name, len(*list) == 0) {
		return
	}
	if c.writing {
		c.out = pack.AppendList(c.out, len(*list))
	} else {
		*list = make([]Attempt, c.list(MaxAttempts))
	}
	for i := range *list {
		c.object(func() { (*list)[i].fields(c) })
	}
}

// list reads the head of a list and returns its length.
func (c *codec) list(most int) int {
	if c.err != nil {
		return 0
	}
	n, err := c.in.List(), c.in.Err()
	if err == nil && n > most {
		err = fmt.Errorf("%d entries, at most %d", n, most)
	}
	if err != nil {
		c.fault("list", err)
		return 0
	}
	return n
}

// clean returns s as a database accepts it: valid UTF-8 without NUL, cut between two characters to
// at most most bytes.
func clean(s string, most int) string {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	}
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
