// How a test of your own asks the practice gateway and counts the calls.

package simulator_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"

	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

// The account decides the answer, for every asker; the log says how often it was asked for.
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
	for _, email := range []string{"signed@example.com", "not-signed@example.com"} {
		query := mapi.Params{
			{Name: "service", Value: "query_customer_protocol"}, {Name: "partner", Value: "2088000000000009"},
			{Name: "_input_charset", Value: "utf-8"}, {Name: "biz_type", Value: "10004"}, {Name: "user_email", Value: email},
		}
		signed, err := key.Signed(query, mapi.UTF8)
		if err != nil {
			fmt.Println(err)
			return
		}
		form := url.Values{}
		for _, p := range signed {
			form.Set(p.Name, p.Value)
		}
		call := httptest.NewRequest("POST", simulator.Path+"?_input_charset=utf-8", strings.NewReader(form.Encode()))
		call.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		practice.ServeHTTP(answer, call)
		_, flags, _ := strings.Cut(answer.Body.String(), "<alipay>")
		fmt.Println(flags)
	}
	fmt.Println(practice.Stats().Calls, "calls")
	// Output:
	// <is_success>T</is_success><charge_agent>T</charge_agent><refund_charge>T</refund_charge><user_id>2088611907349595</user_id></alipay>
	// <is_success>T</is_success><charge_agent>F</charge_agent><refund_charge>F</refund_charge><user_id>2088787255522707</user_id></alipay>
	// 2 calls
}
