// What goes wrong in a simulated fleet.

package simtest

import "time"

// fault does something bad, and comes again.
func (w *World) fault() {
	if w.well {
		return
	}
	w.After(w.Between(w.pace/10, w.pace), w.fault)
	var alive []*Process
	for _, p := range w.processes {
		if !p.dead {
			alive = append(alive, p)
		}
	}
	if len(alive) == 0 {
		w.spawn()
		return
	}
	p := alive[w.Draw.IntN(len(alive))]
	switch n := w.Draw.IntN(20); {
	case w.o.FoldAnew && w.Focus == 5 && n%2 == 0:
		w.deafen(p)
	case n < 3:
		p.die()
	case n < 7:
		p.freeze(w.Between(time.Second, 12*time.Second))
	case n < 9:
		p.cut = w.now + w.Between(time.Second, 9*time.Second)
		p.trouble(p.cut)
		w.Note("cut off", "%s until %v", p.Name, p.cut)
	case n < 10:
		w.lose()
	case n < 11:
		w.leaderless()
	case n < 13:
		w.wrong = w.Between(0, 2*skew) - skew
	case n < 15:
		p.wall = w.Between(0, 2*skew) - skew
		w.Note("clock moved", "%s by %v", p.Name, p.wall)
	case n < 16 && len(alive) < 5:
		w.spawn()
	case n < 17:
		w.deafen(p)
	case n < 18:
		p.drain() // and another comes, as in a rolling restart
		w.spawn()
	}
}

// lose has the servers be away for a while.
func (w *World) lose() {
	w.away = max(w.away, w.now+w.Between(4*time.Second, 9*time.Second))
	w.Note("away", "until %v", w.away)
	for _, p := range w.processes {
		w.After(w.away-w.now, p.reconnected)
	}
}

func (w *World) leaderless() {
	w.mute = max(w.mute, w.now+w.Between(3*time.Second, 9*time.Second))
	w.Note("leaderless", "until %v", w.mute)
}

func (w *World) deafen(p *Process) {
	p.deaf = w.now + w.Between(time.Second, 40*time.Second)
	w.Note("deaf", "%s until %v", p.Name, p.deaf)
}

func (p *Process) die() {
	p.w.Note("died", "%s", p.Name)
	p.dead = true
	p.w.After(p.w.Between(0, 6*time.Second), func() { p.w.spawn() })
}

func (p *Process) freeze(d time.Duration) {
	if p.w.Draw.IntN(6) == 0 { // long enough for all that it has read to be purged
		d += 20 * time.Second
	}
	p.frozen = max(p.frozen, p.w.now+d)
	p.trouble(p.frozen)
	p.w.Note("frozen", "%s until %v", p.Name, p.frozen)
}

// strike does the worst to a process whose begin was just stored.
func (w *World) strike(p *Process) {
	if !w.Chance(w.Worst) {
		return
	}
	how := w.Focus
	if how > 3 {
		how = w.Draw.IntN(4)
	}
	switch how {
	case 0: // its acknowledgement waits
		p.freeze(w.Between(3*time.Second, 12*time.Second))
	case 1: // as here
		w.leaderless()
	default: // its key may get another owner meanwhile
		if w.alive() < 6 {
			w.spawn()
		}
	}
}

// heal ends all faults.
func (w *World) heal() {
	w.well = true
	alive := w.alive()
	for _, p := range w.processes {
		p.frozen, p.cut, p.deaf = min(p.frozen, w.now), min(p.cut, w.now), min(p.deaf, w.now)
		w.After(0, p.reconnected)
	}
	w.away, w.mute, w.wrong = min(w.away, w.now), min(w.mute, w.now), 0
	if alive == 0 {
		w.spawn()
	}
	w.logf("healed")
}

// alive is how many processes live and stay.
func (w *World) alive() (n int) {
	for _, p := range w.processes {
		if !p.dead && !p.Draining {
			n++
		}
	}
	return n
}
