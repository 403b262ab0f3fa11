// How to find a person in a log that holds no e-mail address.

package querylog_test

import (
	"fmt"

	"protocolq/worker/querylog"
)

// The log stores of an e-mail address a mask for people and a keyed hash to search by.
func ExampleHasher() {
	h, err := querylog.NewHasher([]byte("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))
	if err != nil {
		fmt.Println(err)
		return
	}
	stored := h.Email("Zhang.San@example.com")
	fmt.Println(stored)
	fmt.Println("found:", h.Email(" zhang.san@example.com").LookUp() == stored.LookUp())
	fmt.Println("another:", h.Email("li.si@example.com").LookUp() == stored.LookUp())
	fmt.Println("the key prints as:", h)
	// Output:
	// Z***@e***.com
	// found: true
	// another: false
	// the key prints as: [redacted]
}
