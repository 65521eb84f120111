package asl

// children are the branches of a Parallel state or the iterations of a Map
// state while it runs.
type children struct {
	total     int
	next      int // the first that has not started
	running   int
	limit     int // how many may run at once
	failed    int
	tolerated int   // how many may fail
	input     any   // the effective input of the state
	items     []any // of a Map state
	threads   []*thread
	results   []any
}

func newChildren(total int, input any) *children {
	return &children{total: total, limit: total, input: input, threads: make([]*thread, total), results: make([]any, total)}
}

// beginChild starts the next child; its first event follows the one numbered
// after.
func (x *Execution) beginChild(t *thread, after int64) *failure {
	c := t.children
	child := &thread{parent: t, index: c.next, variables: &variables{outer: t.variables}, prevID: after}
	c.threads[c.next] = child
	c.next++
	c.running++
	switch s := t.state.(type) {
	case *parallelState:
		s.beginBranch(child, c)
	case *mapState:
		if fail := x.beginIteration(t, s, child, c); fail != nil {
			return fail
		}
	}
	x.queue = append(x.queue, child)
	return nil
}

// startChildren starts as many as may run. The first ones follow the event that
// started the state.
func (x *Execution) startChildren(t *thread) {
	c := t.children
	for c.next < c.total && c.running < c.limit {
		if fail := x.beginChild(t, t.prevID); fail != nil {
			x.childrenFailed(t, nil, fail)
			return
		}
	}
	if c.total == 0 {
		x.childrenSucceeded(t)
	}
}

func (x *Execution) childSucceeded(child *thread, output any) {
	t := child.parent
	c := t.children
	c.results[child.index] = output
	after := child.prevID
	if s, ok := t.state.(*mapState); ok {
		x.recordIteration(s, child.index, after, "MapIterationSucceeded")
	}
	x.childEnded(t, child, after)
}

// childEnded starts the next child or completes the state. The next iteration's
// events follow those of the one that made room for it.
func (x *Execution) childEnded(t, child *thread, after int64) {
	c := t.children
	c.running--
	c.threads[child.index] = nil
	if c.next < c.total {
		if fail := x.beginChild(t, after); fail != nil {
			t.prevID = after
			x.childrenFailed(t, nil, fail)
		}
		return
	}
	if c.running > 0 {
		return
	}
	t.prevID = after
	if _, ok := t.state.(*mapState); ok {
		t.prevID = x.lastID // the last iteration's own event
	}
	x.childrenSucceeded(t)
}

func (x *Execution) childrenSucceeded(t *thread) {
	eventType := "MapStateSucceeded"
	if _, ok := t.state.(*parallelState); ok {
		eventType = "ParallelStateSucceeded"
	}
	x.recordAfter(t.prevID, eventType, noDetail)
	results, failed := t.children.results, t.children.failed
	t.children = nil
	x.queue = append(x.queue, t)
	if failed > 0 {
		results = withoutFailures(results)
	}
	x.complete(t, results)
}

func (x *Execution) childFailed(child *thread, f *failure) {
	t := child.parent
	c := t.children
	f.fromBranch = true
	c.failed++
	s, isMap := t.state.(*mapState)
	if isMap && c.failed <= c.tolerated {
		x.recordIteration(s, child.index, child.prevID, "MapIterationFailed")
		c.results[child.index] = failedResult{}
		x.childEnded(t, child, child.prevID)
		return
	}
	if isMap && c.tolerated > 0 {
		x.childrenFailed(t, child, &failure{name: errExceedTolerated, cause: "The specified tolerated failure threshold was exceeded", fromBranch: true})
		return
	}
	x.childrenFailed(t, child, f)
}

// childrenFailed ends a state one of whose children failed, or could not start:
// the others are stopped, in the order of their index.
func (x *Execution) childrenFailed(t, child *thread, f *failure) {
	if child != nil {
		t.prevID = child.prevID
	}
	x.abortChildren(t, child, t.prevID)
	x.queue = append(x.queue, t)
	x.handle(t, f)
}

// abortChildren stops all children of t and records it, each after the event
// that caused it.
func (x *Execution) abortChildren(t, failed *thread, after int64) {
	if t.children == nil {
		return
	}
	s, isMap := t.state.(*mapState)
	for _, child := range t.children.threads {
		if child == nil {
			continue
		}
		if isMap {
			eventType := "MapIterationAborted"
			if child == failed {
				eventType = "MapIterationFailed"
			}
			x.recordIteration(s, child.index, after, eventType)
		}
		x.abort(child, after, child == failed)
	}
	t.children = nil
}

// abort stops a thread. The state that failed, if it is a task, counts as
// aborted too (recorded on Step Functions).
func (x *Execution) abort(t *thread, after int64, failed bool) {
	b := t.state.common()
	x.abortChildren(t, nil, after)
	if t.phase != phaseEnter && isAborted(t.state, failed) {
		x.recordAfter(after, b.types.aborted, noDetail)
	}
	t.phase = phaseEnded
	for _, w := range x.waits.live() {
		if w.thread != t {
			continue
		}
		if task, ok := w.command.(InvokeTask); ok {
			x.commands = append(x.commands, CancelTask{task.Ref})
		}
		x.waits.remove(w.ref)
	}
}

func isAborted(s state, failed bool) bool {
	switch s.(type) {
	case *taskState:
		return true
	case *waitState, *mapState, *parallelState:
		return !failed
	}
	return false
}

func (x *Execution) recordIteration(s *mapState, index int, after int64, eventType string) *HistoryEvent {
	h := x.recordAfter(after, eventType, mapIteration)
	h.name, h.index = s.name, index
	return h
}
