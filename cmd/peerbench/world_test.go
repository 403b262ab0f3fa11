// What is tried again while a cluster comes up, and for how long.
package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTryFor(t *testing.T) {
	notYet := errors.New("no suitable peers")
	for name, c := range map[string]struct {
		limit time.Duration
		fails int // tries that fail first; -1: all
		tries int
		took  time.Duration
		says  string // "" when it goes well
	}{
		"at once":                    {clusterUp, 0, 1, 0, ""},
		"when the peers are up":      {clusterUp, 3, 4, 3 * tryPause, ""},
		"never":                      {2 * time.Second, -1, 4, 3 * tryPause, "tried 4 times in 2s: no suitable peers"},
		"one server has no peers":    {0, -1, 1, 0, "no suitable peers"},
		"shorter than a pause: once": {time.Millisecond, -1, 1, 0, "tried 1 times in 1ms: no suitable peers"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				err := tryFor(t.Context(), c.limit, func() error {
					if tries++; c.fails < 0 || tries <= c.fails {
						return notYet
					}
					return nil
				})
				said := ""
				if err != nil {
					said = err.Error()
				}
				if tries != c.tries || time.Since(began) != c.took || said != c.says {
					t.Errorf("%d tries in %v, %q; want %d in %v, %q", tries, time.Since(began), said, c.tries, c.took, c.says)
				}
			})
		})
	}
}

func TestTryForEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
		defer stop()
		last := errors.New("no suitable peers")
		if err := tryFor(ctx, clusterUp, func() error { return last }); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, last) {
			t.Errorf("error %v", err)
		}
	})
}

// A contestant that stores what it remembers keeps as many copies of it as there are servers.
func TestCopies(t *testing.T) {
	for _, name := range contestantNames() {
		ct := contestants[name]
		if strings.Contains(ct.setup, "provision") || strings.Contains(ct.setup, "-make") {
			if !strings.Contains(ct.setup, "-replicas {replicas}") {
				t.Errorf("%s is set up by %q", name, ct.setup)
			}
		} else if strings.Contains(ct.cmd, "/kv") {
			t.Errorf("%s has no set-up", name)
		}
	}
}
