// The practice gateway's scenarios, asked without a network, and what the other test
// files share.

package simulator_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"protocolq/gateway/mapi"
	"protocolq/gateway/simulator"
)

const partnerID = "2088101568353491"

var md5Key = mustKey("a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6")

func mustKey(text string) mapi.Key {
	k, err := mapi.ParseKey(mapi.MD5, []byte(text))
	if err != nil {
		panic(err)
	}
	return k
}

func newSimulator(t testing.TB, change func(*simulator.Options)) *simulator.Simulator {
	t.Helper()
	o := simulator.Options{Partners: []simulator.Partner{{ID: partnerID, Key: md5Key}}}
	if change != nil {
		change(&o)
	}
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func query(cs mapi.Charset, email, account string) mapi.Params {
	p := mapi.Params{
		{Name: "service", Value: "query_customer_protocol"}, {Name: "partner", Value: partnerID},
		{Name: "_input_charset", Value: cs.String()}, {Name: "biz_type", Value: "10004"},
	}
	if email != "" {
		p = append(p, mapi.Param{Name: "user_email", Value: email})
	}
	if account != "" {
		p = append(p, mapi.Param{Name: "trans_account", Value: account})
	}
	return p
}

// form signs and encodes with mapi, like a correct client.
func form(t testing.TB, p mapi.Params, cs mapi.Charset) string {
	t.Helper()
	signed, err := md5Key.Signed(p, cs)
	if err != nil {
		t.Fatal(err)
	}
	body, err := signed.Body(cs)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func post(t testing.TB, rawURL, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rawURL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return req
}

const action = "http://gateway.test/gateway.do?_input_charset="

// askRaw returns the answer's bytes.
func askRaw(t testing.TB, s *simulator.Simulator, cs mapi.Charset, email, account string) []byte {
	t.Helper()
	resp, err := s.RoundTrip(post(t, action+cs.String(), form(t, query(cs, email, account), cs)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return body
}

// told reads an answer as "T T F" or as its code.
func told(t testing.TB, body []byte) string {
	t.Helper()
	a, err := mapi.ParseAnswer(body)
	if err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	if code, ok := a.Get("error"); ok {
		return code
	}
	success, _ := a.Get("is_success")
	charge, _ := a.Get("charge_agent")
	refund, _ := a.Get("refund_charge")
	return strings.TrimSpace(success + " " + charge + " " + refund)
}

func TestScenarios(t *testing.T) {
	s := newSimulator(t, nil)
	for email, want := range map[string]string{
		"signed@example.com":           "T T T",
		"signed+17@example.com":        "T T T",
		"Signed.x@example.com":         "T T T",
		"debit-only+a@example.com":     "T T F",
		"refund-only@example.com":      "T F T",
		"not-signed@example.com":       "T F F",
		"no-sign-customer@example.com": "NO_SIGN_CUSTOMER",
		"abnormal@example.com":         "NO_NORMAL_SIGN_CUSTOMER",
		"unknown@example.com":          "ILLEGAL_EMAIL",
		"p@example.com":                "P",
		"flag-missing@example.com":     "T T",
		"unlisted@example.com":         "ILLEGAL_WEATHER",
		"wrapped@example.com":          "T T T",
		"illegal-partner@example.com":  "ILLEGAL_PARTNER",
	} {
		t.Run(email, func(t *testing.T) {
			if got := told(t, askRaw(t, s, mapi.UTF8, email, "")); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	for account, want := range map[string]string{
		"20881234567890129901": "T T T", "20881234567890129902": "T T F", "20881234567890129903": "T F T",
		"20881234567890129904": "T F F", "20881234567890129905": "NO_SIGN_CUSTOMER",
		"20881234567890129906": "NO_NORMAL_SIGN_CUSTOMER", "20881234567890129907": "ILLEGAL_ACCOUNT_NO",
		"20881234567890129908": "SYSTEM_ERROR", "20881234567890129909": "P",
		"208812345678901": "ILLEGAL_ACCOUNT_NO", "2088123456789012x901": "ILLEGAL_ACCOUNT_NO",
	} {
		t.Run(account, func(t *testing.T) {
			if got := told(t, askRaw(t, s, mapi.UTF8, "", account)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestEveryCodeIsAScenario(t *testing.T) {
	s := newSimulator(t, nil)
	codes := mapi.Codes()
	if len(codes) < 45 {
		t.Fatalf("only %d codes", len(codes))
	}
	for _, c := range codes {
		name := strings.ReplaceAll(strings.ToLower(c.Name), "_", "-")
		if !slices.Contains(simulator.ScenarioNames(), name) {
			t.Errorf("%s is not listed", name)
		}
		if got := told(t, askRaw(t, s, mapi.UTF8, name+"+x@example.com", "")); got != c.Name {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestFirstCallsOnly(t *testing.T) {
	s := newSimulator(t, nil)
	for _, c := range []struct{ email, account, code string }{
		{"system-error-2+a@example.com", "", "SYSTEM_ERROR"},
		{"", "20881234567890129702", "SYSTEM_ERROR"},
		{"fault-system-error-2@example.com", "", "SYSTEM_ERROR"},
		{"fault-p-2@example.com", "", "P"},
	} {
		var got []string
		for range 4 {
			got = append(got, told(t, askRaw(t, s, mapi.UTF8, c.email, c.account)))
		}
		if want := []string{c.code, c.code, "T T T", "T T T"}; !slices.Equal(got, want) {
			t.Errorf("%s%s: got %q, want %q", c.email, c.account, got, want)
		}
	}
}

func TestMixIsDecidedBySeedAndAccount(t *testing.T) {
	answers := func(seed uint64) map[string]int {
		s := newSimulator(t, func(o *simulator.Options) { o.Seed = seed })
		count := map[string]int{}
		for i := range 500 {
			email := fmt.Sprintf("agent%d@travel.example.com", i)
			first, again := told(t, askRaw(t, s, mapi.UTF8, email, "")), told(t, askRaw(t, s, mapi.UTF8, email, ""))
			if first != again {
				t.Fatalf("%s: %q, then %q", email, first, again)
			}
			count[first]++
		}
		return count
	}
	one, two := answers(1), answers(2)
	if one["T T T"] < 300 || one["T F F"] == 0 || one["NO_SIGN_CUSTOMER"] == 0 || one["ILLEGAL_EMAIL"] > 0 {
		t.Errorf("mix %v", one)
	}
	if fmt.Sprint(one) == fmt.Sprint(two) {
		t.Errorf("two seeds, one mix: %v", one)
	}
}

func TestChineseLogin(t *testing.T) {
	for _, spelling := range []string{"utf-8", "gbk", "GBK", "gb2312"} {
		cs, err := mapi.ParseCharset(spelling)
		if err != nil {
			t.Fatal(err)
		}
		s := newSimulator(t, nil)
		askRaw(t, s, cs, "张三@example.com", "")
		if got := s.Calls()[0]; got.Key != "张三@example.com" || !got.Conclusive {
			t.Errorf("%s: %+v", spelling, got)
		}
	}
}

func TestSignedAnswersVerify(t *testing.T) {
	s := newSimulator(t, func(o *simulator.Options) { o.Partners[0].SignAnswers = true })
	for _, email := range []string{"signed@example.com", "wrapped@example.com", "张三@example.com"} {
		a, err := mapi.ParseAnswer(askRaw(t, s, mapi.GBK, email, ""))
		if err != nil {
			t.Fatal(err)
		}
		if v, err := a.Verify(md5Key.Verifier(), mapi.GBK); v != mapi.Verified {
			t.Errorf("%s: %s, %v", email, v, err)
		}
	}
	a, _ := mapi.ParseAnswer(askRaw(t, newSimulator(t, nil), mapi.UTF8, "signed@example.com", ""))
	if v, _ := a.Verify(md5Key.Verifier(), mapi.UTF8); v != mapi.Unsigned {
		t.Errorf("unsigned by default: %s", v)
	}
}

func TestUserID(t *testing.T) {
	s := newSimulator(t, nil)
	ask := func(email, account string) string {
		a, err := mapi.ParseAnswer(askRaw(t, s, mapi.UTF8, email, account))
		if err != nil {
			t.Fatal(err)
		}
		id, _ := a.Get("user_id")
		return id
	}
	one := ask("signed+1@example.com", "")
	if len(one) != 16 || !strings.HasPrefix(one, "2088") || one != ask("signed+1@example.com", "") || one == ask("signed+2@example.com", "") {
		t.Errorf("user_id %s", one)
	}
	if got := ask("signed@example.com", "20881234567890120156"); got != "2088123456789012" {
		t.Errorf("user_id of an account: %s", got)
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	_, err := simulator.New(simulator.Options{
		Partners: []simulator.Partner{{ID: "1"}, {ID: partnerID}},
		Faults:   []simulator.Fault{{Name: "earthquake", Probability: 1}, {Name: "drop", Probability: 2}},
		Latency:  -1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"16 digits", "has no key", "earthquake", "probability", "latency"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in:\n%v", part, err)
		}
	}
}
