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
	n := len(s.branches)
	t.children = &children{
		total: n, limit: n,
		threads: make([]*thread, n), results: make([]any, n),
	}
	c := t.children
	c.begin = func(i int, after int64) *failure {
		child := &thread{
			parent: t, index: i, state: s.branches[i].start, input: input, prevID: after,
			variables: &variables{outer: t.variables},
		}
		c.threads[i] = child
		x.queue = append(x.queue, child)
		return nil
	}
	x.startChildren(t)
}
