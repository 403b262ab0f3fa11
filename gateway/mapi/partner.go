// A partner's id: its form, and ids that are public test accounts.

package mapi

import "errors"

// CheckPartner says what is wrong with a partner id, or returns nil. An id is 2088 and 12 more
// digits, 16 in all (the partner row of Alipay's parameter tables; table 3-1 of the gateway owner's
// appendix calls it 合作者身份 ID). The error does not repeat the id.
func CheckPartner(id string) error {
	good := len(id) == 16 && id[:4] == "2088"
	for i := 0; good && i < len(id); i++ {
		good = '0' <= id[i] && id[i] <= '9'
	}
	if !good {
		return errors.New("must be 16 digits that begin with 2088")
	}
	return nil
}

// testPartners are accounts that public documents print as a test account or as a sample. The
// gateway owner's appendix, table 3-1, says to replace them once the tests are done, as they are
// charged 3 %. The list cannot be complete.
var testPartners = map[string]string{
	"2088002007018955": "the buyer in the sample request of create_direct_pay_by_user",
	"2088002007018966": "the seller alipay-test01@alipay.com in the sample request of create_direct_pay_by_user",
	"2088101008267254": "the sample partner of refund_fastpay_by_platform_pwd, seller Jier1105@alitest.com",
	"2088101106499364": "Antom documentation, “3. Creating order using alipay.acquire.create”",
	"2088101122136241": "README of bitmash/alipay-api-php: “A test account is provided by Alipay”",
	"2088101125328850": "Antom documentation, “acquire refund”",
	"2088101568338364": "the sample partner of create_direct_pay_by_user and create_forex_trade",
	"2088101568353491": "the sample order of mobile.securitypay.pay in the vendor's mobile demo",
	"2088101568358171": "Antom documentation, “Construct orderStr”, seller alipay-test09@alipay.com",
	"2088111956092332": "lokielse/omnipay-alipay, “ILLEGAL_PARTNER_EXTERFACE”, as alipay_test@alipay.com",
}

// TestPartner returns the public document that shows id as a test account or sample, "" for any
// other id.
func TestPartner(id string) (source string) { return testPartners[id] }
