// Exports leave resources for the pages.

package queries_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"protocolq/cmd/protocolq/console/queries"
	"protocolq/worker/querylog/database"
)

func TestExportsAreBounded(t *testing.T) {
	h := hasher(t)
	db := log(t, h)
	const most = 3
	begun, goOn := make(chan struct{}), make(chan struct{})
	url := open(t, queries.Options{Hasher: h, Database: func(ctx context.Context) (*database.DB, error) {
		begun <- struct{}{}
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		return db, nil
	}}, nil) + "/queries/export?format=csv"
	client := &http.Client{Timeout: time.Minute}
	get := func() (int, http.Header, string) {
		r, err := client.Get(url)
		if err != nil {
			t.Error(err)
			return 0, nil, ""
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		return r.StatusCode, r.Header, string(body)
	}
	ended := make(chan int, most)
	for range most {
		go func() { code, _, _ := get(); ended <- code }()
		<-begun
	}
	if code, header, body := get(); code != http.StatusTooManyRequests || header.Get("Retry-After") != "30" || !strings.Contains(body, "Too many at once") {
		t.Errorf("one too many: %d, %v, %.200s", code, header, body)
	}
	close(goOn)
	for range most {
		if code := <-ended; code != http.StatusOK {
			t.Errorf("an export: %d", code)
		}
	}
	go func() { <-begun }()
	if code, _, body := get(); code != http.StatusOK || !strings.HasPrefix(body, "time,token,") {
		t.Errorf("after the others: %d, %.80s", code, body)
	}
}
