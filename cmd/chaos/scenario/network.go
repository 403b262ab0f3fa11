//go:build unix

// Harm to the network and to the leaders of a cluster: no process dies, but not all can reach each
// other.

package scenario

import (
	"context"
	"fmt"
	"time"

	"protocolq/cmd/chaos/testbed"
	"protocolq/cmd/chaos/verdict"
	"protocolq/messages"
)

// networkScenarios are the scenarios in which no process is harmed.
func networkScenarios(p verdict.Pace) []Scenario {
	lost := verdict.Bounds{Excused: true}
	return []Scenario{
		{Name: "elections", About: "leaders of streams and consumers made to step down, again and again",
			plan: testbed.Plan{Servers: 3}, harm: elections},
		{Name: "island", About: "a NATS server, which leads, apart from the two others: mute, then deaf, then cut off",
			bounds: verdict.Bounds{Excused: true, Repeats: true},
			plan:   testbed.Plan{Servers: 3, Parted: true}, least: 4*p.Silence() + 4*time.Second, harm: islands},
		{Name: "oneway", About: "a worker that NATS does not hear, then one that does not hear NATS, past its lease",
			bounds: lost,
			plan:   testbed.Plan{Cuttable: true}, least: 2*p.Silence() + 6*time.Second, harm: oneWay},
	}
}

// elections lets the leaders step down one after another, the journal's more often than the others.
func elections(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	var subjects []string
	for _, kind := range []messages.Kind{messages.Journal, messages.Submitted, messages.Fleet, messages.Replies,
		messages.Events, messages.Log} {
		stream := h.Observer.Names.Stream(kind)
		subjects = append(subjects, "$JS.API.STREAM.LEADER.STEPDOWN."+stream)
		for _, consumer := range testbed.Led[kind] {
			subjects = append(subjects, "$JS.API.CONSUMER.LEADER.STEPDOWN."+stream+"."+consumer)
		}
	}
	done := 0
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := testbed.Pause(ctx, time.Duration(100+h.Rand.IntN(300))*time.Millisecond); err != nil {
			return err
		}
		i := h.Rand.IntN(len(subjects))
		if h.Rand.IntN(3) == 0 {
			i = 0
		}
		if err := h.Observer.Command(ctx, subjects[i], ""); err == nil {
			h.Inject(verdict.Deposed, subjects[i])
			done++
		}
	}
	if done < 5 {
		return fmt.Errorf("only %d leaders have stepped down", done)
	}
	return nil
}

// islands separates the leading server from the two others, in three ways; its nearest worker is
// cut off with it. The clean cut lasts until the others have chosen new leaders and taken over that
// worker's calls.
func islands(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	cuts := []struct {
		how  string
		away time.Duration
		does func(*testbed.Proxy, testbed.Direction)
	}{
		{"mute", h.Pace.Silence(), func(way *testbed.Proxy, out testbed.Direction) { way.Hold(out) }},
		{"deaf", h.Pace.Silence(), func(way *testbed.Proxy, out testbed.Direction) { way.Hold(1 - out) }},
		{"cut off", electing + h.Pace.Silence(), func(way *testbed.Proxy, _ testbed.Direction) { way.Sever() }},
	}
	end := time.Now().Add(long)
	for n := 0; n < len(cuts) || time.Now().Before(end); n++ {
		if err := testbed.Pause(ctx, time.Duration(1000+h.Rand.IntN(700))*time.Millisecond); err != nil {
			return err
		}
		island, err := h.Leader(ctx)
		if err != nil {
			return err
		}
		cut := cuts[n%len(cuts)]
		at := h.Inject(verdict.CutOff,
			fmt.Sprintf("%s with %s, %s", h.Cluster.Servers[island].Name, h.Fleet[island].Name, cut.how))
		h.Cluster.Each(island, cut.does)
		if err := testbed.Pause(ctx, cut.away); err != nil {
			return err
		}
		h.Cluster.Each(island, func(way *testbed.Proxy, _ testbed.Direction) { way.Heal() })
		h.Recover(at)
		if err := h.Cure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// electing is how long two servers of three usually need for a new leader: each waits 4 to 9 s
// before it stands for election.
const electing = 7 * time.Second

// oneWay delays what goes between a worker and NATS in one direction, then in the other. Nothing is
// lost, but everything is late: messages of a holder whose key another has taken, and the
// permission to call after the end of a lease.
func oneWay(ctx context.Context, h *testbed.Bed, long time.Duration) error {
	each := max(h.Pace.Silence(), long/2-3*time.Second)
	for _, cut := range []struct {
		how  string
		held testbed.Direction
	}{{"mute", testbed.There}, {"deaf", testbed.Back}} {
		if err := testbed.Pause(ctx, time.Duration(800+h.Rand.IntN(700))*time.Millisecond); err != nil {
			return err
		}
		at := h.Inject(verdict.CutOff, h.Fleet[0].Name+", "+cut.how)
		h.ToNATS.Hold(cut.held)
		if err := testbed.Pause(ctx, each); err != nil {
			return err
		}
		h.ToNATS.Heal()
		h.Recover(at)
	}
	return nil
}
