//go:build unix

// The checks of replies: each says what the journal says, was recorded before it was sent, and came
// in time.

package verdict

import (
	"fmt"
	"time"

	"protocolq/messages"
)

// Slack of replies, in microseconds.
const (
	clockStep  = 2_000     // between the server's time stamp and the asker's, on one machine
	inTime     = 200_000   // after the deadline, as promised
	lateSlack  = 1_500_000 // on a machine that is busy with other work
	earlySlack = 350_000   // a deadline travels as remaining time: the reply may come this much earlier, less the way
)

// ofReplies is what is counted in the replies.
type ofReplies struct {
	Expired         int // told DEADLINE at their deadline
	Late, Premature int // any reply long after it; DEADLINE before it
	Unrecorded      int // that arrived before their answer was stored
	Foreign         int // that differ from what the journal settled
	Undone          int // a reply after CRASHED, which is final for the asker and its id
	Slowest         time.Duration
}

// told compares every asker's replies with the journal.
func (v *Verdict) told(t *Evidence, b Bounds) {
	said := map[string]string{}
	for _, a := range t.Asks {
		over := false
		for i, told := range a.Replies {
			v.punctual(t, a, i, b)
			v.agrees(t, a, i, b)
			if over && told.Code != messages.Crashed {
				v.Replies.Undone++
				v.Offences = append(v.Offences, fmt.Sprintf("not final: %s was told CRASHED, then %+v", a.ID, told))
			}
			over = over || told.Code == messages.Crashed
			// an asker that leaves early is told which run is in progress
			if told.Run == "" || told.Code == messages.DeadlinePassed {
				continue
			}
			if before := said[told.Run]; before != "" && before != told.Outcome+told.Code+told.Says {
				v.Split++
			}
			said[told.Run] = told.Outcome + told.Code + told.Says
		}
	}
	if v.Replies.Expired > 0 {
		v.figure("told DEADLINE; the latest reply after its deadline",
			fmt.Sprintf("%d; %v", v.Replies.Expired, v.Replies.Slowest.Round(time.Millisecond)),
			"200 ms, and 1.5 s of a busy machine")
	}
}

// punctual checks the reply to an asker with a deadline. If a worker is away, the reply comes when
// that worker is replaced.
func (v *Verdict) punctual(t *Evidence, a *Ask, i int, b Bounds) {
	told := a.Replies[i]
	if told.Code == messages.DeadlinePassed && a.Deadline > 0 {
		v.Replies.Expired++
		if told.At < a.Deadline-earlySlack {
			v.Replies.Premature++
			v.Offences = append(v.Offences, fmt.Sprintf("premature: %s was told DEADLINE %v before it", a.ID,
				time.Duration(a.Deadline-told.At)*time.Microsecond))
		}
	}
	if a.Deadline == 0 || i > 0 || t.harmed(a.Sent, told.At, b.Pace) || t.stalled(a.Sent, told.At) {
		return
	}
	late := told.At - a.Deadline
	v.Replies.Slowest = max(v.Replies.Slowest, time.Duration(late)*time.Microsecond)
	if late > inTime+lateSlack {
		v.Replies.Late++
		v.Offences = append(v.Offences, fmt.Sprintf("late: %s was told %s %v after its deadline", a.ID,
			told.Outcome+told.Code, time.Duration(late)*time.Microsecond))
	}
}

// harmed reports whether a sender of replies, or what it needs, may have been away between two
// times.
func (t *Evidence) harmed(from, to int64, p Pace) bool {
	for _, f := range t.Faults {
		if !f.silences() {
			continue
		}
		if f.At <= to && from <= max(f.At, f.Until)+p.Recovery.Microseconds() {
			return true
		}
	}
	return false
}

// agrees compares one reply with the journal.
func (v *Verdict) agrees(t *Evidence, a *Ask, i int, b Bounds) {
	told := a.Replies[i]
	if told.Run != "" && told.Code != messages.DeadlinePassed {
		v.recorded(a, told, b)
	}
	found, settled := false, ""
	for _, book := range v.books {
		for _, j := range book.byID[a.ID] {
			found = true
			if j.Settled == nil {
				continue
			}
			settled += fmt.Sprintf(" %+v", *j.Settled)
			if j.Settled.Run != "" && j.Settled.Run == told.Run || j.Settled.Why != "" && j.Settled.Why == told.Code {
				return
			}
		}
	}
	// A query that comes after its deadline, because the first door that took it is dead, is told so
	// where it comes.
	if told.Code == messages.DeadlinePassed && a.Deadline > 0 && told.At >= a.Deadline-earlySlack {
		return
	}
	// Without an entry a door answers from memory, or refuses: the first query, or a repeated one.
	if told.Source == string(messages.Remembered) || !found && told.Run == "" || i == 0 && t.byDoor(a, b.Pace) {
		return
	}
	v.Replies.Foreign++
	v.Offences = append(v.Offences, fmt.Sprintf("foreign: %s was told %+v, the journal settled%s", a.ID, told, settled))
}

// byDoor reports whether the door itself told an asker that its time is over, or that there is no
// room, while the store of its ask was away: the ask may have been on its way all that time, and be
// settled by an answer later.
func (t *Evidence) byDoor(a *Ask, p Pace) bool {
	told := a.Replies[0]
	own := told.Run == "" && (told.Code == messages.DeadlinePassed || told.Code == messages.Overloaded)
	return own && (t.harmed(a.Sent, told.At, p) || t.stalled(a.Sent, told.At))
}

// recorded wants the answer in the journal, stored before it was told.
func (v *Verdict) recorded(a *Ask, told reply, b Bounds) {
	var at *ended
	for _, book := range v.books {
		if r := book.ByRun[told.Run]; r != nil && (at == nil || r.Stored < at.Stored) {
			at = r
		}
	}
	switch {
	case at == nil:
		v.Untold++
		v.Offences = append(v.Offences, fmt.Sprintf("not recorded: %s was told %+v", a.ID, told))
	case told.At+clockStep+b.Clocks.Microseconds() < at.Stored:
		v.Replies.Unrecorded++
		v.Offences = append(v.Offences, fmt.Sprintf("told first: %s was told %s %v before it was stored", a.ID,
			told.Run, time.Duration(at.Stored-told.At)*time.Microsecond))
	}
}
