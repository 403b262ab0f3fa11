// Every way to write a line, and every way to get one wrong.

package batch_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/cmd/protocolq/batch"
	"protocolq/messages"
)

// lines reads all lines of a file, each with its number, its query and its fault.
func lines(t *testing.T, text string) (list []batch.Line) {
	t.Helper()
	r, err := batch.NewReader(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Fill(messages.Query{Partner: "2088000000000001", ReplyTo: "protocol.reply.me"}, "b")
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
}

func TestReadLines(t *testing.T) {
	age := int64(5000)
	first := messages.Query{V: 1, ID: "b-2", Partner: "2088000000000001", UserEmail: "a@example.com", ReplyTo: "protocol.reply.me"}
	full := messages.Query{V: 1, ID: "mine", Partner: "2088000000000009", UserEmail: "b@example.com", AccountNo: "20880000000000010156",
		MaxAgeMs: &age, ReplyTo: "protocol.reply.me", Meta: map[string]string{"order": "7"}}
	account := first
	account.ID, account.UserEmail, account.AccountNo = "b-4", "", "20880000000000010156"
	for name, text := range map[string]string{
		"CSV":              "user_email,id,key,partner,account_no,max_age_ms,meta.order\na@example.com\nb@example.com,mine,,2088000000000009,20880000000000010156,5000,7\n,,,,20880000000000010156\n",
		"of a spreadsheet": "\xef\xbb\xbfEmail;ID;key;partner;account;max_age_ms;meta.order\r\n a@example.com \r\n\"b@example.com\";mine;;2088000000000009;20880000000000010156;5000;7\r\n;;;;20880000000000010156",
		"JSON":             "\n" + `{"user_email":"a@example.com"}` + "\n" + `{"v":1,"id":"mine","partner":"2088000000000009","user_email":"b@example.com","account_no":"20880000000000010156","max_age_ms":5000,"meta":{"order":"7"}}` + "\n" + `  {"account_no":"20880000000000010156"}`,
	} {
		var got []messages.Query
		for _, l := range lines(t, text) {
			if l.Fault != nil {
				t.Errorf("%s: %v", name, l.Fault)
			}
			got = append(got, l.Query)
		}
		if diff := cmp.Diff([]messages.Query{first, full, account}, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	got := lines(t, "a@example.com\n\n  20880000000000010156  \n13800138000\n")
	if len(got) != 3 || got[0].Query.UserEmail != "a@example.com" || got[1].Query.AccountNo != "20880000000000010156" || got[1].Number != 3 || got[2].Query.UserEmail != "13800138000" {
		t.Errorf("a list of accounts: %+v", got)
	}
	got = lines(t, "Email,Meta.OrderID,meta.orderID\na@example.com,7,8\n") // a caller's own names stay
	if diff := cmp.Diff(map[string]string{"OrderID": "7", "orderID": "8"}, got[0].Query.Meta); diff != "" {
		t.Errorf("meta: %s", diff)
	}
	for _, empty := range []string{"", "\n\n", "\xef\xbb\xbf", "user_email\n"} {
		if got := lines(t, empty); len(got) != 0 {
			t.Errorf("%q: %+v", empty, got)
		}
	}
}

func TestLinesWithAFault(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	got := lines(t, "user_email,max_age_ms\nnobody\na@example.com,soon\n\"a@example.com\nb@example.com,1,2\n"+long+"\n,\nc@example.com\n")
	want := []struct {
		number int
		field  string
		word   string
	}{{2, "user_email", ""}, {3, "max_age_ms", "whole number"}, {4, "", "not CSV"}, {5, "", "3 columns"}, {6, "", "longer than 64 KiB"}, {7, "user_email", "missing"}}
	if len(got) != len(want)+1 {
		t.Fatalf("%d lines", len(got))
	}
	for i, w := range want {
		l := got[i]
		if l.Fault == nil || l.Number != w.number || l.Fault.Field != w.field || !strings.Contains(l.Fault.Reason, w.word) || l.Query.ID == "" {
			t.Errorf("line %d: %+v, %v", w.number, l, l.Fault)
		}
	}
	if last := got[len(want)]; last.Fault != nil || last.Number != 8 {
		t.Errorf("the line after them: %+v, %v", last, last.Fault)
	}
	for _, l := range lines(t, "{\n{\"user_email\":\"a@example.com\",\"emial\":1}\n[]\n") {
		if l.Fault == nil {
			t.Errorf("taken: %+v", l)
		}
	}
}

// Answers recorded elsewhere, and those that a batch printed.
func TestRecorded(t *testing.T) {
	yes, no := true, false
	want := messages.Result{Outcome: messages.Signed, ChargeAgent: &yes, RefundCharge: &no}
	for name, text := range map[string]string{
		"of another system": "email;outcome;debit;refund\na@example.com;SIGNED;T;0\n",
		"of a batch":        "line,id,user_email,account_no,outcome,charge_agent,refund_charge,code,retry_after_ms,run,message\n2,x,a@example.com,,signed,true,false,,,r,\n",
		"JSON":              `{"query":{"user_email":"a@example.com"},"result":{"outcome":"signed","charge_agent":true,"refund_charge":false,"retryable":false}}`,
	} {
		r, err := batch.NewRecorded(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		l, err := r.Next()
		l.Recorded.V = 0
		if diff := cmp.Diff(want, l.Recorded); err != nil || l.Fault != nil || l.Query.UserEmail != "a@example.com" || diff != "" {
			t.Errorf("%s: %v, %v, %s", name, err, l.Fault, diff)
		}
	}
	for text, field := range map[string]string{"email,outcome\na@example.com,maybe\n": "outcome", "email,debit\na@example.com,perhaps\n": "debit", `{"query":{"user_email":"a@example.com"},"result":{"outcome":"maybe"}}`: "outcome"} {
		r, err := batch.NewRecorded(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if l, err := r.Next(); err != nil || l.Fault == nil || l.Fault.Field != field {
			t.Errorf("%s: %+v, %v", text, l, err)
		}
	}
	if _, err := batch.NewReader(strings.NewReader("email,outcome\n")); err == nil {
		t.Error("an answer among questions is taken")
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for text, word := range map[string]string{
		"name,phone\n":              `"name"`,
		"user_email,mail\n":         `"mail"`,
		"\"user_email\n":            "not CSV",
		"id,email,key,id\n":         `"id"`,
		"user_email,id,Email\n":     `"email"`,
		"account_no;account\n":      `"account"`,
		"email,meta.a,meta.a\n":     `"meta.a"`,
		strings.Repeat("x", 70_000): "64 KiB",
	} {
		if _, err := batch.NewReader(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// A file without a header begins with a customer, whom an error does not show.
func TestFirstLineOfData(t *testing.T) {
	for _, text := range []string{"alice@example.com,order-1\n", "order-1,alice@example.com\n", "20880000000000010156,order-1\n", "id,20880000000000010156\n"} {
		_, err := batch.NewReader(strings.NewReader(text))
		if err == nil || strings.Contains(err.Error(), "alice@") || strings.Contains(err.Error(), "20880000000000010156") || !strings.Contains(err.Error(), "header") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
