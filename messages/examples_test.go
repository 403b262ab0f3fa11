// The examples in other languages: short, complete, and on their page.

package messages_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestExamples(t *testing.T) {
	page := readFile(t, filepath.Join("examples", "README.md"))
	verbs := []string{"await", "submit", "replies", "events"}
	for language, ending := range map[string]string{"node": ".mjs", "python": ".py", "php": ".php", "java": ".java", "nats": ".sh"} {
		files := must(filepath.Glob(filepath.Join("examples", language, "*"+ending)))(t)
		for _, verb := range verbs {
			name := verb + ending
			if language == "java" {
				name = strings.ToUpper(name[:1]) + name[1:]
			}
			if !strings.Contains(page, "("+language+"/"+name+")") {
				t.Errorf("examples/README.md has no %s in %s", name, language)
			}
			readFile(t, filepath.Join("examples", language, name))
		}
		for _, file := range files {
			if lines := strings.Count(readFile(t, file), "\n"); lines > 40 {
				t.Errorf("%s has %d lines, more than 40", file, lines)
			}
		}
	}
}
