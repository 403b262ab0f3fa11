// How fast rows come in. Not part of the tests: go test -bench .

package database_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// traffic makes rows as a fleet would: two asks to a run, some that fail, people who come back.
type traffic struct {
	h       *querylog.Hasher
	rand    *rand.Rand
	at      time.Time
	step    time.Duration
	serial  int
	workers int
}

func (tr *traffic) batch(rows int) (b querylog.Batch) {
	for b.Rows() < rows {
		tr.serial++
		tr.at = tr.at.Add(tr.step)
		run := fmt.Sprintf("W%dxxxxxxxxxx%010d", tr.rand.IntN(4), tr.serial)
		person := tr.rand.IntN(2_000_000)
		partner := fmt.Sprintf("208800000000000%d", tr.rand.IntN(3))
		email := tr.h.Email(fmt.Sprintf("person%d@example.com", person))
		key := tr.h.Key(fmt.Sprint("key", person))
		outcome, code := "signed", ""
		switch n := tr.rand.IntN(1000); {
		case n < 300:
			outcome, code = "not_signed", "NO_SIGN_CUSTOMER"
		case n < 303:
			outcome, code = "unknown", "SYSTEM_ERROR"
		case n == 303:
			outcome, code = "refused", "ILLEGAL_SIGN"
		}
		took := time.Duration(50+tr.rand.ExpFloat64()*100) * time.Millisecond
		b.Runs = append(b.Runs, querylog.Run{ID: run, At: tr.at, AnsweredAt: tr.at.Add(took), Key: key, Partner: partner, Email: email, Outcome: outcome, Code: code,
			Verified: "verified", Worker: "worker-1", Attempts: []querylog.Attempt{{At: tr.at, FirstByte: took / 2, Body: took / 10, Total: took, HTTPStatus: 200, Bytes: 400, Reused: true, Code: code}}})
		for i := range 2 {
			b.Asks = append(b.Asks, querylog.Ask{Token: fmt.Sprintf("A%dxxxxxxxxxx%010d", tr.rand.IntN(4), tr.serial*2+i), At: tr.at, AnsweredAt: tr.at.Add(took), Run: run,
				Request: tr.h.Request(fmt.Sprintf("booking-%08x", tr.rand.Uint32())), Key: key, Partner: partner, Email: email, Outcome: outcome, Code: code,
				Source: []string{"asked", "joined"}[i], Door: "query", Subject: "protocol.query." + partner, Reply: "_INBOX", Trace: fmt.Sprintf("%032x", tr.rand.Uint64())})
		}
	}
	return b
}

func benchHasher(b testing.TB) *querylog.Hasher {
	h, err := querylog.NewHasher(make([]byte, 0, 64))
	if err == nil {
		b.Fatal("no key")
	}
	if h, err = querylog.NewHasher([]byte("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")); err != nil {
		b.Fatal(err)
	}
	return h
}

func BenchmarkInsert(b *testing.B) {
	for _, size := range []int{100, 1000, 4000} {
		b.Run(fmt.Sprint("sqlite-", size), func(b *testing.B) {
			db, err := database.Open(b.Context(), database.Options{URL: "sqlite://" + filepath.Join(b.TempDir(), "log.db")})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			tr := &traffic{h: benchHasher(b), rand: rand.New(rand.NewPCG(1, 2)), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), step: 50 * time.Millisecond}
			rows := 0
			for b.Loop() {
				b.StopTimer()
				batch := tr.batch(size)
				b.StartTimer()
				w, err := db.Write(b.Context(), batch)
				if err != nil {
					b.Fatal(err)
				}
				rows += w.Rows()
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
