// Suspicion and the fence, on a clock that the test moves.

package fleet_test

import (
	"testing"
	"time"

	"protocolq/worker/fleet"
	"protocolq/worker/journal"
)

const ms = time.Millisecond

// look has the watch look all the time up to a moment, as a member does whose beats come back.
func look(w *fleet.Watch, from, to time.Duration) {
	for ; from < to; from += 100 * ms {
		w.Echo(from)
		w.Look(from)
	}
	w.Look(to)
}

func TestWatch(t *testing.T) {
	const m = "m"
	for _, c := range []struct {
		name string
		play func(w *fleet.Watch)
		at   time.Duration
		want fleet.Suspicion
	}{
		{"silent for less than 3 s", func(w *fleet.Watch) { w.Sign(m, 1000*ms); look(w, 0, 3999*ms) }, 3999 * ms, fleet.Calm},
		{"silent for 3 s, nothing of one's own", func(w *fleet.Watch) { w.Sign(m, 1000*ms); look(w, 0, 4000*ms) }, 4000 * ms, fleet.Prove},
		{"an own batch from before is no proof", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			w.Sent(3900 * ms)
			w.Acknowledged(3950 * ms)
			look(w, 0, 4000*ms)
		}, 4000 * ms, fleet.Prove},
		{"an own batch since is", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			look(w, 0, 4000*ms)
			w.Sent(4000 * ms)
			w.Acknowledged(4010 * ms)
		}, 4010 * ms, fleet.Seal},
		{"an own batch waits for its acknowledgement", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			w.Sent(1500 * ms)
			look(w, 0, 9000*ms)
		}, 9000 * ms, fleet.Calm},
		{"after an outage the count begins anew", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			w.Sent(1500 * ms)
			look(w, 0, 9000*ms)
			w.Acknowledged(9000 * ms)
			look(w, 9000*ms, 11900*ms)
		}, 11900 * ms, fleet.Calm},
		{"and ends", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			w.Sent(1500 * ms)
			look(w, 0, 9000*ms)
			w.Acknowledged(9000 * ms)
			look(w, 9000*ms, 12*time.Second)
		}, 12 * time.Second, fleet.Prove},
		{"the watching process stood still", func(w *fleet.Watch) { w.Sign(m, 1000*ms); look(w, 0, 1000*ms); w.Look(8000 * ms) }, 8000 * ms, fleet.Calm},
		{"the connection was lost", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			look(w, 0, 3500*ms)
			w.Gap(3500 * ms)
			look(w, 3500*ms, 5000*ms)
		}, 5000 * ms, fleet.Calm},
		{"nobody responds for 1 s", func(w *fleet.Watch) { w.Sign(m, 1000*ms); w.Mute(m, 1100*ms); look(w, 0, 2100*ms) }, 2100 * ms, fleet.Prove},
		{"it responds again", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			w.Mute(m, 1100*ms)
			w.Sign(m, 2000*ms)
			look(w, 0, 2100*ms)
		}, 2100 * ms, fleet.Calm},
		{"nobody responded before an outage", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			w.Mute(m, 1100*ms)
			look(w, 0, 2000*ms)
			w.Gap(2000 * ms)
			w.Mute(m, 2100*ms)
			look(w, 2000*ms, 3000*ms)
		}, 3000 * ms, fleet.Calm},
		{"own beats do not come back", func(w *fleet.Watch) {
			w.Sign(m, 1000*ms)
			look(w, 0, 1500*ms)
			for now := 1500 * ms; now <= 4500*ms; now += 100 * ms {
				w.Look(now)
			}
			look(w, 4500*ms, 5000*ms) // the connection is there again, and the other's next beat on its way
		}, 5000 * ms, fleet.Calm},
		{"never seen", func(w *fleet.Watch) { look(w, 0, 3000*ms) }, 3000 * ms, fleet.Prove},
	} {
		w := fleet.NewWatch(fleet.WatchOptions{}, 0)
		c.play(w)
		if got := w.Suspect(m, c.at); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// A beat that comes after its member's seal is not kept: otherwise each member that was ever there
// would leave something behind.
func TestWatchForgetsTheGone(t *testing.T) {
	w := fleet.NewWatch(fleet.WatchOptions{}, 0)
	for _, m := range []journal.Member{"live", "gone"} {
		w.Sign(m, 1000*ms)
		w.Gone(m)
		w.Sign(m, 2000*ms)
		w.Mute(m, 2500*ms)
	}
	w.Keep([]*fleet.Member{{ID: "live"}})
	if live, gone := w.Silent("live", 2600*ms), w.Silent("gone", 2600*ms); live != 600*ms || gone != 2600*ms {
		t.Errorf("silent for %v and %v, want 600ms, and 2.6s as one that was never there", live, gone)
	}
	look(w, 0, 3500*ms)
	if live, gone := w.Suspect("live", 3500*ms), w.Suspect("gone", 2900*ms); live != fleet.Prove || gone != fleet.Calm {
		t.Errorf("suspected: %d and %d, want only the live one, whose subject nobody serves", live, gone)
	}
}

func TestFence(t *testing.T) {
	f, err := fleet.NewFence(12*time.Second, 8*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	may := func(want bool, mono, wall time.Duration, when string) {
		t.Helper()
		if f.MayCall(mono, wall) != want {
			t.Errorf("%s: %v", when, !want)
		}
		if left := f.Left(mono, wall); (left > 0) != want || want && f.MayCall(mono+left, wall) {
			t.Errorf("%s: %v left", when, left)
		}
	}
	may(false, 0, 0, "before anything is acknowledged")
	f.Sent(1, 0, 0)
	may(false, 0, 0, "before it is acknowledged")
	f.Sent(1, 2*time.Second, 2*time.Second) // again
	f.Acknowledged()
	may(true, 2999*ms, 0, "3 s after the first sending, less a little")
	may(false, 3000*ms, 0, "3 s after it")
	may(false, 0, 3000*ms, "3 s after it on the wall clock: the machine slept")
	f.Sent(2, 4*time.Second, 4*time.Second)
	may(false, 4*time.Second, 4*time.Second, "the next is on its way")
	f.Acknowledged()
	may(true, 6*time.Second, 6*time.Second, "it is there")
	may(true, 7*time.Second-1, 6*time.Second, "3 s after it, less a little")
	may(false, 7*time.Second, 6*time.Second, "3 s after it")
	f.Lost()
	may(false, 4*time.Second, 4*time.Second, "sealed")
}

// A lease that is long enough leaves a second in which a call may begin, one that is not is
// refused.
func TestShortestLease(t *testing.T) {
	for _, tt := range []struct{ call, least time.Duration }{
		{200 * ms, 1371 * ms}, {2500 * ms, 4 * time.Second}, {6 * time.Second, 8 * time.Second}, {8 * time.Second, 10 * time.Second}, {time.Minute, 62 * time.Second},
	} {
		least := fleet.ShortestLease(tt.call)
		if least.Truncate(ms) != tt.least {
			t.Errorf("call %v: %v, want %v", tt.call, least, tt.least)
		}
		if _, err := fleet.NewFence(least, tt.call); err == nil {
			t.Errorf("call %v: a lease of %v is taken", tt.call, least)
		}
		f, err := fleet.NewFence(least+ms, tt.call)
		if err != nil {
			t.Fatal(err)
		}
		f.Sent(1, 0, 0)
		f.Acknowledged()
		if !f.MayCall(time.Second-1, 0) || f.MayCall(time.Second+ms, 0) {
			t.Errorf("call %v: begins do not end a second after a batch", tt.call)
		}
	}
}
