package main

import (
	"cmp"
	"slices"
	"strings"

	"tasks/internal/asl"
)

// runStates finds the state of an event: between a state's entry and its exit,
// events don't name it. It keeps which branch is in which state, because the event
// before may be another branch's: what a Parallel or Map state records follows the
// last event of the branch that caused it, and so does the end of other branches.
type runStates struct{ branches map[int64]*branch } // by the ids of their events

// branch is the execution's own line of states, a branch of a Parallel state, or an
// iteration of a Map state.
type branch struct {
	in    *branch   // the one whose state this is a branch of
	below []*branch // the branches of its state, in order
	kind  string    // of its state, such as Wait; "" if that has ended
	state string
	over  bool // the branch has failed
}

func newRunStates() runStates { return runStates{map[int64]*branch{0: {}}} }

// of returns the name of an event's state, which the event may have itself.
func (s runStates) of(e asl.HistoryEvent, name string) string {
	if strings.HasPrefix(e.Type, "Execution") {
		return ""
	}
	before := s.branches[e.PreviousID]
	b := before
	kind, what, _ := strings.Cut(e.Type, "State")
	switch what {
	case "Entered":
		if b.kind != "" { // that state has begun its branches
			b = &branch{in: before}
			before.below = append(before.below, b)
		}
		b.kind, b.state = kind, name
	case "Exited":
		for b.in != nil && b.state != name {
			b = b.in
		}
		b.kind = ""
	case "Started", "Succeeded", "Failed":
		b = b.up(kind)
		b.below = nil
		if what == "Failed" {
			b.kind = ""
		}
	case "Aborted":
		in := b.up("Parallel", "Map")
		b.over = b != in
		if b = in.aborted(kind, before); b == nil {
			return ""
		}
		b.kind = ""
	default: // of a Task state, or of an iteration, which names its Map state
		if strings.HasPrefix(e.Type, "MapIteration") {
			b = b.up("Map")
		}
		if e.Type == "MapIterationFailed" {
			before.over = true
		}
	}
	s.branches[e.ID] = b
	return cmp.Or(name, b.state)
}

// up returns the branch, or the next one that it is in, that is in a state of one of
// these kinds.
func (b *branch) up(kinds ...string) *branch {
	for b.in != nil && !slices.Contains(kinds, b.kind) {
		b = b.in
	}
	return b
}

// aborted returns the first branch below b that is in a state of a kind and stopped
// because another failed. The state that failed is stopped too if it is a task.
func (b *branch) aborted(kind string, failed *branch) *branch {
	for _, c := range b.below {
		if found := c.aborted(kind, failed); found != nil {
			return found
		}
		if c.kind == kind && (!c.over || c == failed && kind == "Task") {
			return c
		}
	}
	return nil
}
