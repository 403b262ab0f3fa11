//go:build unix

// Chaos runs the real program, real NATS servers and the practice gateway as
// processes of their own, askers that write down what they asked and received, and faults by seed.
//
//	go run ./cmd/chaos -seed 7 -for 10s -scenario kills,freezes
//
// It has three rooms, and each knows only those below it:
//
//	scenario  which harm is done, and what may come of it; Scenario.Run is one run
//	testbed   everything a scenario runs in: processes, proxies, disks, askers, and who watches them
//	verdict   the evidence, and the checks that judge by it alone
//
// A run builds a test bed (testbed/bed.go), lets askers ask (testbed/asker.go) while it does harm,
// waits until all is quiet, gathers the evidence (verdict/evidence.go) and judges by that alone
// (verdict/judge.go):
//
//	W1  the practice gateway's own call log
//	W2  the askers' logs of what they sent and received
//	W3  the workers' journal, followed from its first message on (testbed/follower.go), decoded by a
//	    hand that is not theirs (verdict/journal.go) and folded by another (verdict/ledger.go)
//	W4  the query log's database
//	W5  the streams: events, durable replies, dead letters, what is left
//
// What the workers say about themselves does not count. At the end everything that was written is
// searched for what must not be visible (testbed/leak.go), and the workers are compared with a new
// one (testbed/rest.go). A probe (testbed/probe.go) distinguishes a machine that stands still from
// a worker that is late. Every fault is printed with its time. The same seed does the same harm,
// though the machine schedules the processes freely.
//
// The exit code is 1 if a bound is broken; then the test bed is kept for inspection. README.md
// beside this file has the results.
package main
