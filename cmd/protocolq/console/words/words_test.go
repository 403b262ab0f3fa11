package words_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/console/words"
)

// A text has both languages, with the same verbs in the same order.
func TestEveryTextHasBothLanguages(t *testing.T) {
	verbs := regexp.MustCompile(`%[sdv]`)
	keys := words.Keys()
	if len(keys) == 0 {
		t.Fatal("no text found")
	}
	for _, key := range keys {
		en, zh := words.Say(words.English, key), words.Say(words.Chinese, key)
		if strings.TrimSpace(en) == "" || strings.TrimSpace(zh) == "" {
			t.Errorf("%s: en %q, zh %q: one of them is missing", key, en, zh)
		}
		if !slices.Equal(verbs.FindAllString(en, -1), verbs.FindAllString(zh, -1)) {
			t.Errorf("%s: en %q and zh %q show different things", key, en, zh)
		}
	}
}

func TestMissingKeyIsSeen(t *testing.T) {
	if got := words.Say(words.English, "no.such"); got != "⟦no.such⟧" || words.Known("no.such") {
		t.Errorf("got %q", got)
	}
}

func TestPreferred(t *testing.T) {
	for header, want := range map[string]words.Lang{
		"":                           words.English,
		"zh-CN,zh;q=0.9,en;q=0.8":    words.Chinese,
		"zh":                         words.Chinese,
		"en-GB,en;q=0.9,zh-CN;q=0.5": words.English,
		"fr-FR, zh;q=0.5":            words.Chinese,
		"fr":                         words.English,
	} {
		if got := words.Preferred(http.Header{"Accept-Language": {header}}); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestRoughly(t *testing.T) {
	for _, tt := range []struct {
		d      time.Duration
		en, zh string
	}{
		{-time.Second, "0 ms", "0 毫秒"},
		{3 * time.Millisecond, "3 ms", "3 毫秒"},
		{90 * time.Second, "90 s", "90 秒"},
		{5 * time.Minute, "5 min", "5 分钟"},
		{30 * time.Hour, "30 h", "30 小时"},
		{72 * time.Hour, "3 days", "3 天"},
	} {
		if en, zh := words.Roughly(words.English, tt.d), words.Roughly(words.Chinese, tt.d); en != tt.en || zh != tt.zh {
			t.Errorf("%s: %q, %q", tt.d, en, zh)
		}
	}
}
