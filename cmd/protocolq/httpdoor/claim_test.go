// An id belongs to one question, even if two come at the same time.

package httpdoor

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

// together posts all bodies at the same time, and returns their statuses.
func together(t *testing.T, post func(body string) int, bodies ...string) []int {
	t.Helper()
	statuses := make([]int, len(bodies))
	begin := make(chan struct{})
	var posting sync.WaitGroup
	for i, body := range bodies {
		posting.Go(func() { <-begin; statuses[i] = post(body) })
	}
	close(begin)
	posting.Wait()
	return statuses
}

func TestOneIDOfTwoQuestionsAtOnce(t *testing.T) {
	b := openBench(t)
	both, conflicts := 0, 0
	for i := range 50 {
		one := `{"id":"twice-` + strconv.Itoa(i) + `","user_email":"zhang@example.com"}`
		got := together(t, func(body string) int {
			w, _ := b.call(t, "shop", "POST", "/v1/queries", body, "Prefer", "respond-async")
			return w.StatusCode
		}, one, strings.Replace(one, "zhang", "li", 1))
		switch got[0] + got[1] {
		case 202 + 202:
			both++
		case 202 + 409:
			conflicts++
		default:
			t.Errorf("%d", got)
		}
	}
	if both > 0 {
		t.Errorf("%d times both questions were taken under one id, %d times one", both, conflicts)
	}
}

// The same question asked several times at once is one question, and no caller is refused.
func TestOneQuestionTwiceAtOnce(t *testing.T) {
	b := openBench(t)
	for i := range 20 {
		body := `{"id":"same-` + strconv.Itoa(i) + `","user_email":"zhang@example.com"}`
		for _, status := range together(t, func(body string) int {
			w, _ := b.call(t, "shop", "POST", "/v1/queries", body, "Prefer", "respond-async")
			return w.StatusCode
		}, body, body, body) {
			if status != 202 && status != 200 {
				t.Errorf("%d", status)
			}
		}
	}
}
