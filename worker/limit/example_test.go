// A rate, a concurrency and a budget, as two processes use them.

package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"protocolq/worker/limit"
	"protocolq/worker/record"
)

// Two processes share a record, and with it the rate: if one has taken the next stretch of time,
// the other learns how long it would have to wait, and takes nothing.
func ExampleRate() {
	ctx, shared := context.Background(), &record.Memory{}
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return noon }
	one := limit.NewRate(shared, "2088000000000001.rate", 2, clock)
	two := limit.NewRate(shared, "2088000000000001.rate", 2, clock)
	after, err := one.Wait(ctx, 400*time.Millisecond)
	fmt.Println("one", after, err)
	after, err = two.Wait(ctx, 400*time.Millisecond)
	fmt.Println("two", after, err)
	// Output:
	// one 0s <nil>
	// two 500ms <nil>
}

// At most one call runs over both processes: while one process makes it, the other waits.
func ExampleShare() {
	shared := &record.Memory{}
	one := limit.NewShare(shared, "2088000000000001.calls", "one", 1, time.Now)
	two := limit.NewShare(shared, "2088000000000001.calls", "two", 1, time.Now)
	leave, err := one.Enter(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = two.Enter(ctx)
	fmt.Println("two while one calls, in time:", !errors.Is(err, context.DeadlineExceeded))
	leave()
	if err := one.Renew(context.Background()); err != nil { // gives back what it does not use
		log.Fatal(err)
	}
	_, err = two.Enter(context.Background())
	fmt.Println("two after it:", err)
	// Output:
	// two while one calls, in time: false
	// two after it: <nil>
}

// An outage does not multiply its own load: once the saved retries are used, each ten calls allow
// one more.
func ExampleBudget() {
	budget := limit.NewBudget(2)
	fmt.Println(budget.Retry(), budget.Retry(), budget.Retry())
	for range 11 {
		budget.Called()
	}
	fmt.Println(budget.Retry(), budget.Retry())
	// Output:
	// true true false
	// true false
}
