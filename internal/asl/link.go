package asl

import "fmt"

// link resolves transitions and finds states that cannot be reached.
func (p *parser) link(s *scope, f *fields) {
	if s.startAt != "" {
		if s.start = s.states[s.startAt]; s.start == nil {
			p.dangling(f.place("StartAt"), s.startAt, f.place("States"))
		}
	}
	reached := map[string]bool{s.startAt: true}
	ends := false
	for _, st := range s.order {
		transitions(st, func(t *target, field string) {
			if t.name == "" {
				return
			}
			if t.state = s.states[t.name]; t.state == nil {
				ends = true // who knows
				p.dangling(st.common().at+field, t.name, f.place("States"))
			}
		})
	}
	todo := []string{s.startAt}
	for len(todo) > 0 {
		st := s.states[todo[0]]
		todo = todo[1:]
		if st == nil {
			continue
		}
		ends = ends || isTerminal(st)
		transitions(st, func(t *target, _ string) {
			if t.name != "" && !reached[t.name] {
				reached[t.name] = true
				todo = append(todo, t.name)
			}
		})
	}
	if s.start == nil {
		return
	}
	for _, st := range s.order {
		if b := st.common(); !reached[b.name] {
			p.report(b.at, "no state leads here: it is not reachable from StartAt")
		}
	}
	if !ends {
		p.report(f.place("States"), "no state reachable from StartAt ends the execution")
	}
}

func isTerminal(s state) bool {
	switch s.(type) {
	case *succeedState, *failState:
		return true
	case *choiceState:
		return false
	}
	return s.common().next.name == ""
}

// dangling reports a transition to a state that isn't in the scope whose States
// are at statesAt. A state that could not be parsed has its own problem.
func (p *parser) dangling(at, name, statesAt string) {
	place, known := p.names[name]
	switch {
	case !known:
		p.report(at, "there is no state %q", name)
	case place != statesAt+"."+name:
		p.report(at, "the state %q is in another scope (%s)", name, place)
	}
}

// transitions calls visit for every transition of a state, with the place of
// its field below the state's.
func transitions(s state, visit func(t *target, field string)) {
	b := s.common()
	if c, ok := s.(*choiceState); ok {
		for i := range c.rules {
			visit(&c.rules[i].next, fmt.Sprintf(".Choices[%d].Next", i))
		}
		visit(&c.fallback, ".Default")
		return
	}
	visit(&b.next, ".Next")
	for i := range b.catch {
		visit(&b.catch[i].next, fmt.Sprintf(".Catch[%d].Next", i))
	}
}
