package asl

import (
	"fmt"
	"time"
)

// thread is one line of control: the machine's own, a branch of a Parallel
// state or an iteration of a Map state.
type thread struct {
	parent    *thread // nil for the machine's own
	index     int     // of the branch or the iteration
	item      *object // $$.Map of an iteration
	variables *variables

	state      state
	phase      phase
	input      any // raw input of the state
	prevID     int64
	enteredID  int64
	enteredAt  time.Time
	attempts   []int          // retries by each retrier of the state
	retryCount int            // retries by all of them
	scheduled  *scheduledTask // of a Task state, until it starts
	waiting    any            // of a Wait state: the input that it hands on
	children   *children
}

// phase is what a thread does when its turn comes, or what it waits for.
type phase uint8

const (
	phaseEnter    phase = iota // enter the state
	phaseExecute               // do the state's work: first, or again for a retry
	phaseDispatch              // a scheduled task starts
	phaseWaiting               // for an event or for children
	phaseEnded
)

// drain runs threads in the order in which they became ready until all wait.
func (x *Execution) drain() {
	for len(x.queue) > 0 && x.status == Running {
		t := x.queue[0]
		x.queue = x.queue[1:]
		for again := true; again && x.status == Running; {
			again = x.advance(t)
			x.limitHistory()
		}
	}
	x.queue = nil
}

// limitHistory fails an execution that needs more events than it may have: the
// last one is then its end.
func (x *Execution) limitHistory() {
	excess := int(x.lastID - (maxHistoryEvents - 1))
	if excess <= 0 || x.status != Running {
		return
	}
	x.history = x.history[:len(x.history)-excess]
	x.lastID -= int64(excess)
	cause := fmt.Sprintf("The execution reached the maximum number of history events (%d).", maxHistoryEvents)
	x.failed(&failure{name: errRuntime, cause: cause}, x.lastID)
}

// advance does one thing for t and reports whether t can go on at once.
func (x *Execution) advance(t *thread) bool {
	switch t.phase {
	case phaseEnter:
		x.enter(t)
	case phaseExecute:
		x.execute(t)
	case phaseDispatch:
		x.dispatch(t)
	}
	return t.phase == phaseEnter || t.phase == phaseExecute
}

func (x *Execution) enter(t *thread) {
	b := t.state.common()
	h := x.record(t, b.types.entered, stateEntered)
	h.name, h.data = b.name, t.input
	t.enteredID, t.enteredAt = h.ID, x.now
	t.attempts, t.retryCount = nil, 0
	t.phase = phaseExecute
}

func (x *Execution) execute(t *thread) {
	t.phase = phaseWaiting
	switch s := t.state.(type) {
	case *passState:
		x.executePass(t, s)
	case *taskState:
		x.executeTask(t, s)
	case *choiceState:
		x.executeChoice(t, s)
	case *waitState:
		x.executeWait(t, s)
	case *succeedState:
		x.executeSucceed(t, s)
	case *failState:
		x.executeFail(t, s)
	case *parallelState:
		x.executeParallel(t, s)
	case *mapState:
		x.executeMap(t, s)
	}
}

// complete ends a state that has its result.
func (x *Execution) complete(t *thread, result any) {
	b := t.state.common()
	output, assigned, fail := x.output(t, &b.io, result)
	if fail != nil {
		x.handle(t, fail)
		return
	}
	x.exit(t, output, assigned, b.next)
}

// exit leaves the state for the next one, or ends the thread.
func (x *Execution) exit(t *thread, output any, assigned *object, next target) {
	b := t.state.common()
	h := x.record(t, b.types.exited, stateExited)
	h.name, h.data, h.vars = b.name, output, assigned
	if assigned != nil {
		t.variables.assign(assigned)
	}
	t.waiting, t.children = nil, nil
	if next.state != nil {
		t.state, t.input, t.phase = next.state, output, phaseEnter
		return
	}
	t.phase = phaseEnded
	if t.parent != nil {
		x.childSucceeded(t, output)
		return
	}
	x.status, x.result = Succeeded, output
	x.record(t, "ExecutionSucceeded", executionSucceeded).data = output
	x.finish(Finish{Status: Succeeded, Output: encode(output)})
}

// fail ends a thread whose state failed with nobody to catch it.
func (x *Execution) fail(t *thread, f *failure) {
	t.phase = phaseEnded
	if t.parent != nil {
		x.childFailed(t, f)
		return
	}
	x.failed(f, t.prevID)
}

func (x *Execution) failed(f *failure, prevID int64) {
	x.status, x.error, x.cause = Failed, f.name, f.cause
	h := x.recordAfter(prevID, "ExecutionFailed", failureDetail)
	h.error, h.cause = f.name, f.cause
	x.finish(Finish{Status: Failed, Error: f.name, Cause: f.cause})
}

// stop ends the execution from outside.
func (x *Execution) stop(status Status, eventType, name, cause string) {
	x.status, x.error, x.cause = status, name, cause
	h := x.recordAfter(0, eventType, failureDetail)
	h.error, h.cause = name, cause
	x.finish(Finish{Status: status, Error: name, Cause: cause})
}
