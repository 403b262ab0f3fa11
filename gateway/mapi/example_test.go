// How to use the package: one signed question, and one answer.

package mapi_test

import (
	"fmt"

	"protocolq/gateway/mapi"
)

func Example() {
	key, err := mapi.ParseKey(mapi.MD5, []byte("0123456789abcdefghijklmnopqrstuv\n"))
	if err != nil {
		panic(err)
	}
	question := mapi.Params{
		{Name: "service", Value: "query_customer_protocol"},
		{Name: "partner", Value: "2088000000000000"},
		{Name: "_input_charset", Value: "utf-8"},
		{Name: "biz_type", Value: "10004"},
		{Name: "user_email", Value: "agent@example.com"},
	}
	signed, err := key.Signed(question, mapi.UTF8)
	if err != nil {
		panic(err)
	}
	body, err := signed.Body(mapi.UTF8)
	if err != nil {
		panic(err)
	}
	fmt.Println(key, body)

	answer, err := mapi.ParseAnswer([]byte(`<alipay><is_success>F</is_success><error>NO_SIGN_CUSTOMER</error></alipay>`))
	if err != nil {
		panic(err)
	}
	verification, err := answer.Verify(key.Verifier(), mapi.UTF8)
	if err != nil {
		panic(err)
	}
	text, _ := answer.Get("error")
	code, _ := mapi.Lookup(text)
	fmt.Println(verification, code.Class, code.MeaningEN)
	// Output:
	// [redacted] _input_charset=utf-8&biz_type=10004&partner=2088000000000000&service=query_customer_protocol&user_email=agent%40example.com&sign=65971d3f7dbd1f4fcde0d9329f2e5d1f&sign_type=MD5
	// unsigned BIZ the customer has not signed
}

func ExampleDiagnose() {
	key, err := mapi.ParseKey(mapi.MD5, []byte("0123456789abcdefghijklmnopqrstuv"))
	if err != nil {
		panic(err)
	}
	question := mapi.Params{{Name: "_input_charset", Value: "utf-8"}, {Name: "user_email", Value: "agent@example.com"}}
	encoded := mapi.Params{{Name: "_input_charset", Value: "utf-8"}, {Name: "user_email", Value: "agent%40example.com"}}
	sign, err := key.Sign(encoded, mapi.UTF8)
	if err != nil {
		panic(err)
	}
	fmt.Println(key.Verifier().Verify(question, mapi.UTF8, sign))
	fmt.Println(mapi.Diagnose(question, key.Verifier(), mapi.UTF8, sign))
	// Output:
	// sign is bad: it does not match the text under this key
	// with the values percent-encoded it would verify: they were encoded before they were signed; sign them raw, and encode to send
}
