// The page of codes for askers: its tables are made from the program's texts.

package worker_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker"
)

// clientCodes are the gateway client's own, in the order of a call. Those of HTTP statuses follow.
var clientCodes = []string{gateway.CodeNoPartner, gateway.CodeCharset, gateway.CodeCannotSign, gateway.CodeUnreachable,
	gateway.CodeTLS, gateway.CodeTimeout, gateway.CodeCut, gateway.CodeStray, gateway.CodeRedirect, gateway.CodeUnreadable,
	gateway.CodeBadSign, gateway.CodeUnclear}

// statuses are those with texts of their own, and one for each range of the others.
var statuses = []int{401, 403, 404, 405, 407, 408, 410, 429, 499, 502, 503, 504, 599, 999}

// TestCodesPage compares the end of messages/README.md, the tables of codes, with the program's
// texts. With -update it writes them.
func TestCodesPage(t *testing.T) {
	path := filepath.Join("..", "messages", "README.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page, _, found := strings.Cut(string(data), codesBegin)
	if !found {
		t.Fatalf("messages/README.md has no line %q", codesBegin)
	}
	page += codesBegin + codeTables()
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(page, string(data)); diff != "" {
		t.Errorf("messages/README.md says otherwise than the program (-update writes it): -program +page\n%s", diff)
	}
}

// TestCodesContract compares the end of messages/asyncapi.yaml with the same texts. With -update it
// writes them.
func TestCodesContract(t *testing.T) {
	path := filepath.Join("..", "messages", "asyncapi.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	contract, _, _ := strings.Cut(string(data), contractCodes)
	contract += contractCodes
	for _, code := range slices.Concat(codesByKind()...) {
		w, _ := worker.Lookup(code)
		contract += fmt.Sprintf("  %s: {outcome: %s, retryable: %t, means: %q, then: %q}\n", w.Code, outcomeOf(code, w), w.Retryable, w.MeaningEN, w.DoEN)
	}
	if *update {
		if err := os.WriteFile(path, []byte(contract), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(contract, string(data)); diff != "" {
		t.Errorf("messages/asyncapi.yaml says otherwise than the program (-update writes it): -program +contract\n%s", diff)
	}
}

// contractCodes is the part of the contract that is made from the program.
const contractCodes = `
# What a code of a Result means. From here on written by: go test ./worker -run TestCodesContract -update
x-codes:
`

// codesBegin is the line after which the page is made from the program.
const codesBegin = "<!-- from here on written by: go test ./worker -run TestCodesPage -update -->\n"

// codesByKind are the workers' codes, those of a call, the gateway's, and the entry for any other
// code.
func codesByKind() [][]string {
	client := slices.Clone(clientCodes)
	for _, status := range statuses {
		client = append(client, gateway.CodeHTTP+strconv.Itoa(status))
	}
	var theirs []string
	for _, class := range []mapi.Class{mapi.Biz, mapi.Temp, mapi.Input, mapi.Conf, mapi.Bug} {
		for _, c := range mapi.Codes() {
			if c.Class == class {
				theirs = append(theirs, c.Name)
			}
		}
	}
	return [][]string{messages.Codes(), client, theirs, {"ANY_OTHER_CODE"}}
}

// codeTables are all tables, each under its title.
func codeTables() string {
	var b strings.Builder
	for i, codes := range codesByKind() {
		title := [...]string{"The workers' codes", "Codes of a call", "The gateway's codes", "Any other code"}[i]
		fmt.Fprintf(&b, "\n### %s\n\n%s", title, codeTable(codes))
	}
	return b.String()
}

func codeTable(codes []string) string {
	var b strings.Builder
	b.WriteString("| code | outcome | again? | what happened | what to do |\n| --- | --- | --- | --- | --- |\n")
	for _, code := range codes {
		w, _ := worker.Lookup(code)
		again := "no"
		if w.Retryable {
			again = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", w.Code, outcomeOf(code, w), again, w.MeaningEN, w.DoEN)
	}
	return b.String()
}

// outcomeOf is the outcome of results with a code.
func outcomeOf(code string, w worker.Words) messages.Outcome {
	if o, ok := messages.OutcomeOf(code); ok {
		return o
	}
	switch code {
	case "NO_SIGN_CUSTOMER":
		return messages.NotSigned
	case "NO_NORMAL_SIGN_CUSTOMER":
		return messages.Abnormal
	}
	return worker.ResultOf(gateway.Answer{}, &gateway.Error{Code: code, Class: w.Class}).Outcome
}
