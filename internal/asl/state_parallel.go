package asl

// parallelState runs its branches side by side, each with the same input.
type parallelState struct {
	base
	branches []*scope
}

func (p *parser) parallel(f *fields, b base) state {
	s := &parallelState{base: b}
	f.transition(&s.base)
	f.inputOutput(&s.base)
	f.result(&s.base)
	f.retryCatch(&s.base)
	if a, ok := f.array("Branches"); ok && len(a) == 0 {
		p.report(f.place("Branches"), "must not be empty")
	} else if !f.has("Branches") {
		p.report(f.place("Branches"), "is missing")
	}
	f.each("Branches", func(g *fields, _ bool) {
		g.what = "a branch"
		g.str("Comment")
		s.branches = append(s.branches, p.scope(g))
		g.done()
	})
	return s
}

func (x *Execution) executeParallel(t *thread, s *parallelState) {
	input, fail := x.effectiveInput(t, &s.io)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	x.record(t, "ParallelStateStarted", noDetail)
	t.children = newChildren(len(s.branches), input)
	x.startChildren(t)
}

func (s *parallelState) beginBranch(child *thread, c *children) {
	child.state, child.input = s.branches[child.index].start, c.input
}
