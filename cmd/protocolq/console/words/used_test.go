package words_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"protocolq/cmd/protocolq/console/words"
)

// Each text that a template or a page asks for exists.
func TestNoKeyIsMissing(t *testing.T) {
	asked := regexp.MustCompile(`(?:\{\{[^}]*\bt|[( ]t|\.Say\(|words\.Say\([^,]*,) ?"([a-z_0-9.A-Z-]+)"`)
	found := 0
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, "words/") || !strings.HasSuffix(path, ".html") && (!strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go")) {
			return err
		}
		text, err := os.ReadFile("../" + path)
		for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
			found++
			if !words.Known(m[1]) && strings.Contains(m[1], ".") {
				t.Errorf("%s asks for %q, which is in no table", path, m[1])
			}
		}
		return err
	})
	if err != nil || found < 50 {
		t.Fatalf("%d texts found, %v", found, err)
	}
}

// Chinese has its own punctuation.
func TestChineseIsSetInChinese(t *testing.T) {
	narrow := regexp.MustCompile(`\p{Han}[,:;?!()]|[,:;?!(]\p{Han}`)
	for _, key := range words.Keys() {
		if zh := words.Say(words.Chinese, key); narrow.MatchString(zh) {
			t.Errorf("%s: %s has narrow punctuation", key, zh)
		}
	}
}
