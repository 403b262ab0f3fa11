// How a program uses the package.

package messages_test

import (
	"errors"
	"fmt"

	"protocolq/messages"
)

// A worker reads a query written by hand, and answers in the same encoding.
func Example() {
	query, encoding, err := messages.DecodeQuery([]byte(`{"id": "order-17", "partner": "2088001122334455", "user_email": "zhang@example.com"}`), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("key", query.KeyToken(), "asked for", messages.MaskEmail(query.UserEmail))

	result := messages.Result{
		ID: query.ID, Partner: query.Partner, Outcome: messages.Signed, ChargeAgent: new(true), RefundCharge: new(false),
		Source: messages.Asked, Attempts: 1,
	}
	data, err := result.Encode(encoding)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", data)
	// Output:
	// key s5heb7mqlrmlaoaua5b5t8b0tg asked for z***@e***.com
	// {"v":1,"id":"order-17","partner":"2088001122334455","outcome":"signed","charge_agent":true,"refund_charge":false,"retryable":false,"source":"asked","attempts":1}
}

// An invalid query is refused with the field's name, to its asker.
func ExampleError() {
	_, encoding, err := messages.DecodeQuery([]byte(`{"id": "order-18", "user_email": "zhang@example.com", "max_age": 60000}`), "application/json")
	refusal, ok := errors.AsType[*messages.Error](err)
	if !ok {
		return
	}
	data, err := refusal.Result().Encode(encoding)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", data)
	// Output:
	// {"v":1,"id":"order-18","outcome":"refused","code":"BAD_REQUEST","message":"max_age: is not a field of a query; did you mean max_age_ms?","retryable":false}
}

func ExampleNames() {
	names, err := messages.NewNames("protocol")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(names.Query(), names.QueryOf("2088001122334455"), names.Stream(messages.Submitted))
	fmt.Println(names.CheckReply("$JS.API.STREAM.DELETE.PROTOCOL_JOURNAL", names.DefaultReplies(), nil))
	// Output:
	// protocol.query protocol.query.2088001122334455 PROTOCOL_SUBMITTED
	// REPLY_REFUSED: reply_to: has a $: subjects of the server itself are never replied to
}
