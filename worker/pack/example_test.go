// How a record is written and read.

package pack_test

import (
	"fmt"

	"protocolq/worker/pack"
)

// A reader keeps its first error, so that a record is read in one go and judged at its end.
func Example() {
	record := pack.AppendList(nil, 3)
	record = pack.AppendText(record, "signed")
	record = pack.AppendInt(record, 1795426971982)
	record = pack.AppendFlag(record, true)

	for _, data := range [][]byte{record, record[:len(record)-3]} {
		r := pack.NewReader(data)
		fmt.Println(r.List(), r.Text(), r.Int(), r.Flag(), r.Err() == nil)
	}
	// Output:
	// 3 signed 1795426971982 true true
	// 3 signed 0 false false
}
