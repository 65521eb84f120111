package asl

import (
	"sort"
	"time"
)

// wait is a command that awaits its answer.
type wait struct {
	ref     int64
	thread  *thread // nil for the machine's own timeout
	command Command
}

// waitList holds the awaited commands by rising Ref.
type waitList struct {
	waits []wait
	dead  int
}

func (l *waitList) add(w wait) { l.waits = append(l.waits, w) }

func (l *waitList) find(ref int64) *wait {
	i := sort.Search(len(l.waits), func(i int) bool { return l.waits[i].ref >= ref })
	if i == len(l.waits) || l.waits[i].ref != ref || l.waits[i].command == nil {
		return nil
	}
	return &l.waits[i]
}

func (l *waitList) remove(ref int64) {
	w := l.find(ref)
	if w == nil {
		return
	}
	*w = wait{ref: ref}
	if l.dead++; l.dead*2 >= len(l.waits) {
		l.waits, l.dead = l.live(), 0
	}
}

func (l *waitList) live() []wait {
	var live []wait
	for _, w := range l.waits {
		if w.command != nil {
			live = append(live, w)
		}
	}
	return live
}

func (x *Execution) setTimer(t *thread, at time.Time) {
	x.lastRef++
	c := SetTimer{Ref: x.lastRef, At: at}
	x.waits.add(wait{c.Ref, t, c})
	x.commands = append(x.commands, c)
}

// timerFired goes on after a Wait state's time or a retry's delay.
func (x *Execution) timerFired(t *thread) {
	if _, ok := t.state.(*waitState); ok {
		x.complete(t, t.waiting)
	} else {
		t.retryCount++
		t.phase = phaseExecute
	}
	x.queue = append(x.queue, t)
}
