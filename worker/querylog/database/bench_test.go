//go:build unix

// How fast rows come in. Not part of the tests: go test -bench .

package database_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"protocolq/worker/querylog"
	"protocolq/worker/querylog/database"
)

// traffic makes rows like a fleet: two asks for each run, some that fail, people who come back.
type traffic struct {
	h      *querylog.Hasher
	rand   *rand.Rand
	at     time.Time
	step   time.Duration
	serial int
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
		var given querylog.Masked // one in four gives a key
		if tr.rand.IntN(4) == 0 {
			given = key
		}
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
				Request: tr.h.Request(fmt.Sprintf("booking-%08x", tr.rand.Uint32())), Key: given, Partner: partner, Email: email, Outcome: outcome, Code: code,
				Source: []string{"asked", "joined"}[i], Door: "query", Subject: "protocol.query." + partner, Reply: "_INBOX", Trace: fmt.Sprintf("%032x", tr.rand.Uint64())})
		}
	}
	return b
}

// benchPlaces are databases that sync to disk: the shared server of the tests does not wait for the
// disk.
func benchPlaces(b *testing.B) map[string]place {
	return map[string]place{"sqlite": places["sqlite"], "postgres": func(t testing.TB) string {
		if os.Getenv("PROTOCOLQ_TEST_POSTGRES") != "" {
			return postgresPlace(t)
		}
		c, err := newCluster("max_wal_size=4GB", "shared_buffers=256MB")
		if err != nil {
			t.Skip(err)
		}
		b.Cleanup(c.remove)
		return c.url("postgres")
	}}
}

func newTraffic(step time.Duration) *traffic {
	return &traffic{h: keys, rand: rand.New(rand.NewPCG(1, 2)), at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), step: step}
}

func openBench(b *testing.B, place place) *database.DB {
	b.Helper()
	db, err := database.Open(b.Context(), database.Options{URL: place(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func BenchmarkInsert(b *testing.B) {
	for name, place := range benchPlaces(b) {
		for _, size := range []int{100, 1000, 3000} {
			b.Run(fmt.Sprint(name, "-", size), func(b *testing.B) {
				db, tr, rows := openBench(b, place), newTraffic(50*time.Millisecond), 0
				write(b, db, tr.batch(size)) // makes the parts
				for b.Loop() {
					b.StopTimer()
					batch := tr.batch(size)
					b.StartTimer()
					rows += write(b, db, batch).Rows()
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkPages fills a log with PROTOCOLQ_BENCH_ROWS rows (200,000) over 400 days and measures
// the waits of a reader: each kind of page, a thousand times.
func BenchmarkPages(b *testing.B) {
	rows := 200_000
	if text := os.Getenv("PROTOCOLQ_BENCH_ROWS"); text != "" {
		var err error
		if rows, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for name, place := range benchPlaces(b) {
		b.Run(name, func(b *testing.B) {
			db, tr := openBench(b, place), newTraffic(400*24*time.Hour/time.Duration(rows/3))
			last := fill(b, db, tr, rows)
			for kind, read := range reads(tr, last) {
				b.Run(kind, func(b *testing.B) {
					var times []time.Duration
					random := rand.New(rand.NewPCG(3, 4))
					for b.Loop() {
						for range 200 {
							began := time.Now()
							if err := read(b.Context(), db, random); err != nil {
								b.Fatal(err)
							}
							times = append(times, time.Since(began))
						}
					}
					slices.Sort(times)
					b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
					b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
					b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "max-ms")
				})
			}
		})
	}
}

// fill writes rows and reports the rate of each tenth. It returns a batch from the middle to search
// for.
func fill(b *testing.B, db *database.DB, tr *traffic, rows int) querylog.Batch {
	b.Helper()
	var seen querylog.Batch
	began, spent := time.Now(), time.Duration(0)
	for done, tenth := 0, 1; done < rows; {
		batch := tr.batch(2400)
		start := time.Now()
		done += write(b, db, batch).Rows()
		spent += time.Since(start)
		if done >= rows/2 && seen.Rows() == 0 {
			seen = batch
		}
		if done >= rows*tenth/10 {
			b.Logf("%d rows, %.0f rows/s in the last tenth", done, float64(rows)/10/spent.Seconds())
			tenth, spent = tenth+1, 0
		}
	}
	b.Logf("%d rows in %v", rows, time.Since(began).Round(time.Second))
	return seen
}

type reading = func(context.Context, *database.DB, *rand.Rand) error

func reads(tr *traffic, seen querylog.Batch) map[string]reading {
	list := func(f func(*rand.Rand) database.Filter) reading {
		return func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			_, err := db.List(ctx, f(r), database.Cursor{}, 50)
			return err
		}
	}
	person := func(r *rand.Rand) []querylog.LookUp {
		return tr.h.Emails(fmt.Sprintf("person%d@example.com", r.IntN(2_000_000)))
	}
	search := func(f func(*rand.Rand) database.Filter) reading {
		return func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			_, err := db.Search(ctx, f(r), database.Cursor{}, 50, time.Second)
			return err
		}
	}
	anywhere := func(r *rand.Rand) time.Time { return tr.at.Add(-time.Duration(r.IntN(400*24)) * time.Hour) }
	partner := func(r *rand.Rand) string { return fmt.Sprintf("208800000000000%d", r.IntN(3)) }
	return map[string]reading{
		"newest":   list(func(*rand.Rand) database.Filter { return database.Filter{} }),
		"anywhere": list(func(r *rand.Rand) database.Filter { return database.Filter{Until: anywhere(r)} }),
		"email":    list(func(r *rand.Rand) database.Filter { return database.Filter{Emails: person(r)} }),
		"key": list(func(r *rand.Rand) database.Filter {
			return database.Filter{Keys: tr.h.Keys(fmt.Sprint("key", r.IntN(2_000_000)))}
		}),
		"partner":         list(func(r *rand.Rand) database.Filter { return database.Filter{Partner: partner(r), Until: anywhere(r)} }),
		"outcome":         list(func(r *rand.Rand) database.Filter { return database.Filter{Outcome: "unknown", Until: anywhere(r)} }),
		"common-outcome":  list(func(r *rand.Rand) database.Filter { return database.Filter{Outcome: "signed", Until: anywhere(r)} }),
		"no-such-outcome": list(func(*rand.Rand) database.Filter { return database.Filter{Outcome: "abnormal"} }),
		"code":            list(func(r *rand.Rand) database.Filter { return database.Filter{Code: "ILLEGAL_SIGN", Until: anywhere(r)} }),
		"partner+code":    list(func(r *rand.Rand) database.Filter { return database.Filter{Partner: partner(r), Code: "SYSTEM_ERROR"} }),
		"slow": list(func(r *rand.Rand) database.Filter {
			return database.Filter{Slow: 900 * time.Millisecond, Until: anywhere(r)}
		}),
		"slow+partner": list(func(r *rand.Rand) database.Filter {
			return database.Filter{Slow: 700 * time.Millisecond, Partner: partner(r)}
		}),
		"id": func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			_, err := db.List(ctx, database.Filter{Requests: []string{seen.Asks[r.IntN(len(seen.Asks))].Request.String()}}, database.Cursor{}, 50)
			return err
		},
		"show": func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			_, err := db.Show(ctx, seen.Runs[r.IntN(len(seen.Runs))].ID, nil)
			return err
		},
		"search-slow": search(func(*rand.Rand) database.Filter { return database.Filter{Slow: 400 * time.Millisecond} }),
		"search-slower": search(func(*rand.Rand) database.Filter {
			return database.Filter{Slow: 950 * time.Millisecond, Outcome: "unknown"}
		}),
		"search-email+code": search(func(r *rand.Rand) database.Filter {
			return database.Filter{Emails: person(r), Code: "NO_SIGN_CUSTOMER"}
		}),
		"search-code+outcome": search(func(*rand.Rand) database.Filter { return database.Filter{Code: "SYSTEM_ERROR", Outcome: "unknown"} }),
		"page-above": func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			page, err := db.List(ctx, database.Filter{Partner: partner(r), Until: anywhere(r)}, database.Cursor{}, 50)
			if err == nil && len(page.Asks) > 0 {
				below, lerr := db.List(ctx, database.Filter{Partner: page.Asks[0].Partner}, page.Next, 50)
				if err = lerr; err == nil {
					_, err = db.List(ctx, database.Filter{Partner: page.Asks[0].Partner}, below.Previous, 50)
				}
			}
			return err
		},
		"tally-email": func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			_, err := db.Tally(ctx, database.Filter{Emails: person(r)}, 1000, time.Second)
			return err
		},
		"tally-slow": func(ctx context.Context, db *database.DB, _ *rand.Rand) error {
			_, err := db.Tally(ctx, database.Filter{Slow: 600 * time.Millisecond}, 1000, time.Second)
			return err
		},
		"count": func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			_, _, _, err := db.Count(ctx, database.Filter{Outcome: "unknown", Partner: partner(r)})
			return err
		},
		"count-all": func(ctx context.Context, db *database.DB, _ *rand.Rand) error {
			_, _, _, err := db.Count(ctx, database.Filter{})
			return err
		},
		"stats-of-a-day": func(ctx context.Context, db *database.DB, r *rand.Rand) error {
			at := anywhere(r)
			_, err := db.Stats(ctx, at, at.Add(24*time.Hour), "")
			return err
		},
	}
}

// BenchmarkCatchUp is how fast a recorder empties a stream that has waited for its database, with
// lines of one row each.
func BenchmarkCatchUp(b *testing.B) {
	const rows = 30_000
	for name, place := range benchPlaces(b) {
		b.Run(name, func(b *testing.B) {
			runs := 0
			for b.Loop() {
				b.StopTimer()
				d, db := newDesk(b), openBench(b, place)
				d.publish(rows)
				b.StartTimer()
				_, stop := d.record(db, 0)
				d.empty()
				stop()
				runs++
			}
			b.ReportMetric(float64(runs*rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
