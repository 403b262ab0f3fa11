// How two processes count in one record.

package record_test

import (
	"context"
	"fmt"
	"strconv"

	"protocolq/worker/record"
)

// A change is made of what the record says, however many change it at the same time.
func ExampleChange() {
	ctx := context.Background()
	var shared record.Memory
	count := func(last []byte) ([]byte, error) {
		n := 0
		if len(last) > 0 {
			var err error
			if n, err = strconv.Atoi(string(last)); err != nil {
				return nil, err
			}
		}
		return strconv.AppendInt(nil, int64(n+1), 10), nil
	}
	for range 3 {
		if err := record.Change(ctx, &shared, "calls", count); err != nil {
			fmt.Println(err)
		}
	}
	r, err := shared.Get(ctx, "calls")
	fmt.Println(string(r.Data), r.Seq, err)
	// Output: 3 3 <nil>
}
