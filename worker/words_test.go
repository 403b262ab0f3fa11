// Every code that a result can have has true words in two languages.

package worker_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"protocolq/gateway"
	"protocolq/gateway/mapi"
	"protocolq/messages"
	"protocolq/worker"
)

// TestEveryCodeHasTrueWords finds the codes in the sources, so that a new one without words fails.
func TestEveryCodeHasTrueWords(t *testing.T) {
	codes := allCodes(t)
	general, _ := worker.Lookup("SOMETHING_NEW")
	for _, code := range codes {
		w, known := worker.Lookup(code)
		if !known || w.Code != code || w.MeaningEN == general.MeaningEN || w.MeaningZH == general.MeaningZH {
			t.Errorf("%s has the words of a code in no table: %+v", code, w)
		}
		checkWords(t, w)
	}
}

// TestWordsNameWhatToCheck: if waiting alone may never help, the words say what to check.
func TestWordsNameWhatToCheck(t *testing.T) {
	for code, want := range map[string][]string{
		gateway.CodeUnreachable: {"name", "gateway-url", "DNS", "proxy", "域名", "代理"},
		gateway.CodeTLS:         {"another name", "authority", "version", "cipher", "TLS 1.2", "颁发机构", "协议版本", "加密套件"},
		gateway.CodeStray:       {"nobody asked for", "proxy or balancer", "代理或负载均衡"},
		"GATEWAY_HTTP_404":      {"gateway-url", "HTTP 404"},
		"GATEWAY_HTTP_407":      {"proxy", "HTTPS_PROXY", "HTTP 407"},
		"GATEWAY_HTTP_429":      {"too many calls", "rate", "HTTP 429"},
		"GATEWAY_HTTP_503":      {"down or overloaded", "HTTP 503"},
	} {
		w, _ := worker.Lookup(code)
		for _, part := range want {
			if !says(w, []string{part}) {
				t.Errorf("%s: the words lack %q: %+v", code, part, w)
			}
		}
	}
}

func TestUnknownCodeStaysGeneral(t *testing.T) {
	for _, code := range []string{"", "SOMETHING_NEW", "gateway_timeout", "GATEWAY_TIMEOUT ", "OVERLOADED_", "GATEWAY_HTTP_", "GATEWAY_HTTP_abc",
		"GATEWAY_HTTP_+503", "GATEWAY_HTTP_0503", "GATEWAY_HTTP_-1", "GATEWAY_HTTP_1000", "GATEWAY_HTTP_503 "} {
		w, known := worker.Lookup(code)
		if known || w.Code != code || w.Class != mapi.Unlisted || w.Retryable {
			t.Errorf("%q: %+v, %v", code, w, known)
		}
		checkWords(t, w)
	}
}

// What the words promise for each class. Hope is false if asking again changes nothing, and a
// warning is false if only asking again helps.
var (
	hopes    = []string{"again later", "again after", "稍后"}
	warnings = []string{"do not ask again", "不要自动重试", "不要重新查询"}
)

func checkWords(t *testing.T, w worker.Words) {
	t.Helper()
	for _, en := range []string{w.MeaningEN, w.DoEN} {
		if en == "" || strings.ContainsFunc(en, func(r rune) bool { return r > unicode.MaxASCII }) {
			t.Errorf("%s: %q is not English", w.Code, en)
		}
	}
	for _, zh := range []string{w.MeaningZH, w.DoZH} {
		if !strings.ContainsFunc(zh, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s: %q is not Chinese", w.Code, zh)
		}
	}
	if strings.Contains(w.MeaningEN, ";") {
		t.Errorf("%s: the first semicolon of a message stands before the advice, and %q has one", w.Code, w.MeaningEN)
	}
	if w.MeaningEN == w.DoEN || w.MeaningZH == w.DoZH {
		t.Errorf("%s: the advice repeats the meaning", w.Code)
	}
	if w.Class == 0 || w.Retryable != (w.Class == mapi.Temp) {
		t.Errorf("%s: class %s, retryable %v", w.Code, w.Class, w.Retryable)
	}
	hopeful, warned := says(w, hopes), says(w, warnings)
	switch w.Class {
	case mapi.Temp:
		if !strings.Contains(w.DoEN, "ask again") || !strings.Contains(w.DoZH, "重新查询") {
			t.Errorf("%s may be asked again, and the advice is %q, %q", w.Code, w.DoEN, w.DoZH)
		}
		if warned {
			t.Errorf("%s may be asked again, and the words warn of it: %q, %q", w.Code, w.DoEN, w.DoZH)
		}
	case mapi.Unlisted:
		if !strings.Contains(w.DoEN, "do not ask again") || !strings.Contains(w.DoZH, "不要自动重试") {
			t.Errorf("%s must not be asked again by itself: %q, %q", w.Code, w.DoEN, w.DoZH)
		}
		fallthrough
	default:
		if hopeful {
			t.Errorf("%s: time mends nothing, and the words say so: %q, %q", w.Code, w.DoEN, w.DoZH)
		}
	}
}

func says(w worker.Words, phrases []string) bool {
	all := w.MeaningEN + " " + w.DoEN + " " + w.MeaningZH + " " + w.DoZH
	return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(all, p) })
}

// TestResultAgreesWithItsWords: what a program reads (retryable) and what a person reads (message)
// agree.
func TestResultAgreesWithItsWords(t *testing.T) {
	for _, code := range allCodes(t) {
		if _, ours := messages.OutcomeOf(code); ours {
			continue
		}
		w, _ := worker.Lookup(code)
		if w.Class == mapi.Biz {
			continue
		}
		r := worker.ResultOf(gateway.Answer{}, &gateway.Error{Code: code, Class: w.Class})
		if r.Retryable != w.Retryable || r.Message != w.Message() || (r.Outcome == messages.Refused) != (w.Class != mapi.Temp && w.Class != mapi.Unlisted) {
			t.Errorf("%s of class %s: %+v", code, w.Class, r)
		}
	}
	if r := worker.ResultOf(gateway.Answer{}, errors.New("a lost lease")); r.Outcome != messages.Unknown || !r.Retryable || r.Message == "" {
		t.Errorf("a failure without a code: %+v", r)
	}
}

// TestClassIsSaidOnce compares the classes that the sources give with a code with those of the
// table.
func TestClassIsSaidOnce(t *testing.T) {
	consts := constants(t, "../gateway", "Code")
	found := 0
	for _, call := range nodes[*ast.CallExpr](t, "../gateway") {
		fn, ok := call.Fun.(*ast.Ident)
		if !ok || fn.Name != "fail" || len(call.Args) < 2 {
			continue
		}
		name, given := firstName(call.Args[0]), firstName(call.Args[1])
		class, ok := call.Args[1].(*ast.SelectorExpr)
		if !ok || consts[name] == "" {
			continue // a code of the gateway's, with the class of the table
		}
		found++
		code := consts[name]
		if name == "CodeHTTP" {
			code += "500"
		}
		if w, _ := worker.Lookup(code); !strings.EqualFold(w.Class.String(), class.Sel.Name) {
			t.Errorf("%s fails as %s.%s and is explained as %s", name, given, class.Sel.Name, w.Class)
		}
	}
	if found < 10 {
		t.Errorf("only %d failures found: does this test look in the wrong place?", found)
	}
}

// allCodes are the codes of the gateway's table, of its client and of the messages. Codes with an
// HTTP status appear with every status.
func allCodes(t *testing.T) []string {
	t.Helper()
	codes := map[string]bool{}
	for _, c := range mapi.Codes() {
		codes[c.Name] = true
	}
	client, own := constants(t, "../gateway", "Code"), constants(t, "../messages", "")
	for name, code := range client {
		if !strings.HasSuffix(code, "_") {
			codes[code] = true
			continue
		}
		if name != "CodeHTTP" {
			t.Errorf("%s is the beginning of codes: which?", name)
		}
		for status := range 1000 {
			if status != 200 {
				codes[code+strconv.Itoa(status)] = true
			}
		}
	}
	for _, code := range messages.Codes() {
		if !slices.Contains(slices.Collect(maps.Values(own)), code) {
			t.Errorf("%s is no constant of messages/code.go", code)
		}
	}
	for _, code := range own {
		codes[code] = true
	}
	if len(client) < 12 || len(own) < 10 || len(mapi.Codes()) < 40 {
		t.Fatalf("found %d codes of the client, %d of the messages: does this test look in the wrong place?", len(client), len(own))
	}
	return slices.Sorted(maps.Keys(codes))
}

// constants are the texts in capitals among a package's constants whose names begin with prefix;
// for messages only those of code.go, because that package has other words in capitals.
func constants(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for file, f := range files(t, dir) {
		if prefix == "" && filepath.Base(file) != "code.go" {
			continue
		}
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, spec := range gen.Specs {
				value := spec.(*ast.ValueSpec)
				for i, name := range value.Names {
					if !strings.HasPrefix(name.Name, prefix) || i >= len(value.Values) {
						continue
					}
					if text, ok := value.Values[i].(*ast.BasicLit); ok && text.Kind == token.STRING {
						found[name.Name], _ = strconv.Unquote(text.Value)
					}
				}
			}
		}
	}
	return found
}

func files(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	parsed := map[string]*ast.File{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed[path] = f
	}
	return parsed
}

func nodes[N ast.Node](t *testing.T, dir string) (found []N) {
	t.Helper()
	for _, f := range files(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			if n, ok := n.(N); ok {
				found = append(found, n)
			}
			return true
		})
	}
	return found
}

// firstName is the identifier at the start of an expression.
func firstName(e ast.Expr) (name string) {
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return name
}
