// How one call is made, here to the practice gateway.

package gateway_test

import (
	"context"
	"errors"
	"fmt"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

// One signed call, and its result: an answer, or an error whose class says what may be done. The
// zero RoundTripper is the network; here it is the practice gateway.
func Example() {
	key, err := mapi.ParseKey(mapi.MD5, []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		fmt.Println(err)
		return
	}
	practice, err := simulator.New(simulator.Options{Partners: []simulator.Partner{{ID: "2088000000000009", Key: key}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := gateway.New(gateway.Options{Partners: []gateway.Partner{{ID: "2088000000000009", Key: key}}, RoundTripper: practice})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	for _, email := range []string{"debit-only@example.com", "no-sign-customer@example.com", "system-error@example.com", "illegal-sign@example.com"} {
		answer, _, err := client.Ask(context.Background(), gateway.Query{Partner: "2088000000000009", UserEmail: email}, nil)
		if e, ok := errors.AsType[*gateway.Error](err); ok {
			fmt.Println(e.Code, e.Class, "again later:", e.Class.Retryable())
			continue
		}
		fmt.Println(answer.Status, "debit:", answer.ChargeAgent != nil && *answer.ChargeAgent)
	}
	// Output:
	// signed debit: true
	// not_signed debit: false
	// SYSTEM_ERROR TEMP again later: true
	// ILLEGAL_SIGN CONF again later: false
}
