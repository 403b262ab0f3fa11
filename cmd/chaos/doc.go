//go:build unix

// Chaos is the torture chamber: the real program, real NATS servers and the practice gateway as processes of their own,
// askers who write down what they asked and heard, and faults by seed.
//
//	go run ./cmd/chaos -seed 7 -for 10s -scenario kills,freezes
//
// A scenario builds a house (house.go), lets askers ask (asker.go) while it does harm (scenario.go), waits until all is
// quiet, gathers what the witnesses saw (witness.go) and judges that alone (check.go): the practice gateway's own call log,
// the askers' logs, the streams' records and, where a recorder runs, the query log's database. What the workers say of
// themselves counts for nothing but the number of writes that were refused to them. At the end all that was written is looked
// through for what must not be seen (leak.go), and the workers are compared with a new one (rest.go). Every fault is printed with its time; the same seed does the same harm, though to processes that
// the machine schedules as it likes.
//
// The exit code is 1 when a bound is broken, and then the house is kept to be looked at.
package main
