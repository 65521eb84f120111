package asl

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Execution is the state of one execution: plain data that Step changes, not
// safe for concurrent use.
type Execution struct {
	machine *Machine
	status  Status
	result  any
	error   string
	cause   string

	start     StartInput
	input     any
	startTime time.Time
	region    string

	now     time.Time
	lastID  int64  // of history events
	lastRef int64  // of commands
	drawn   uint64 // random numbers
	root    *thread
	waits   waitList
	queue   []*thread

	// What the current step has produced.
	commands []Command
	history  []HistoryEvent
}

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
	attempts   []int // retries by each retrier of the state
	retryCount int   // retries by all of them
	resume     any   // what a Task, Wait or Choice state keeps while it waits
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

// Status is "" before the Start event.
func (x *Execution) Status() Status { return x.status }

// Output is the output of a SUCCEEDED execution as JSON, otherwise nil.
func (x *Execution) Output() []byte {
	if x.status != Succeeded {
		return nil
	}
	return encode(x.result)
}

// Error is the error name of an execution that failed, timed out or was aborted.
func (x *Execution) Error() string { return x.error }

// Cause is the cause that goes with Error.
func (x *Execution) Cause() string { return x.cause }

// Pending lists the commands that are still awaited, tasks and timers, in the
// order in which they were first issued. A host that restarted issues them
// again, with the same Refs; the history doesn't show it.
func (x *Execution) Pending() []Command {
	var pending []Command
	for _, w := range x.waits.live() {
		pending = append(pending, w.command)
	}
	return pending
}

// ErrNotStarted and ErrStarted mean that the events given to Step cannot be
// those of one execution.
var (
	ErrNotStarted = errors.New("asl: the execution has not started")
	ErrStarted    = errors.New("asl: the execution has started already")
)

// Step applies one event: it changes the execution and gives what the host must
// do and what is new in the history. It is pure: no clock, no I/O, no global
// randomness; the same events give the same commands and history, byte by byte.
//
// An event for a Ref that is no longer awaited (a stale timer, the late result
// of a cancelled task) and any event after the end are ignored. An error is a
// bug of the caller (a second Start, a result that isn't JSON, a kind that does
// not fit the command) and leaves the execution as it was.
func (x *Execution) Step(e Event) ([]Command, []HistoryEvent, error) {
	if e.Kind == Start {
		if x.status != "" {
			return nil, nil, ErrStarted
		}
		return x.begin(e)
	}
	if x.status == "" {
		return nil, nil, ErrNotStarted
	}
	if x.status != Running {
		return nil, nil, nil
	}
	if e.Kind == Abort {
		x.now = e.Time
		x.stop(Aborted, "ExecutionAborted", e.Error, e.Cause)
		return x.produced()
	}
	w := x.waits.find(e.Ref)
	if w == nil {
		return nil, nil, nil
	}
	result, err := checkAnswer(w, e)
	if err != nil {
		return nil, nil, err
	}
	x.now = e.Time
	thread := w.thread
	x.waits.remove(e.Ref)
	switch {
	case thread == nil:
		x.stop(TimedOut, "ExecutionTimedOut", "", "")
	case e.Kind == TimerFired:
		x.timerFired(thread)
	default:
		x.taskAnswered(thread, e, result)
	}
	x.drain()
	return x.produced()
}

// checkAnswer finds the host's bugs before anything changes.
func checkAnswer(w *wait, e Event) (any, error) {
	switch w.command.(type) {
	case SetTimer:
		if e.Kind != TimerFired {
			return nil, fmt.Errorf("asl: event %q answers timer %d", e.Kind, e.Ref)
		}
	case InvokeTask:
		switch e.Kind {
		case TaskSucceeded:
			if len(e.Output) > maxDataSize {
				return nil, nil // never looked at
			}
			if len(e.Output) == 0 {
				return nil, nil
			}
			v, err := decode(e.Output, nil)
			if err != nil {
				return nil, fmt.Errorf("asl: the output of task %d: %w", e.Ref, err)
			}
			return v, nil
		case TaskFailed, TaskTimedOut, TaskHeartbeatTimedOut:
		default:
			return nil, fmt.Errorf("asl: event %q answers task %d", e.Kind, e.Ref)
		}
	}
	return nil, nil
}

func (x *Execution) begin(e Event) ([]Command, []HistoryEvent, error) {
	if e.Start == nil {
		return nil, nil, errors.New("asl: a start event without Start")
	}
	raw := e.Start.Input
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	input, err := decode(raw, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("asl: the input: %w", err)
	}
	x.start, x.input = *e.Start, input
	x.start.Input = nil
	x.startTime, x.now = e.Time, e.Time
	if arn := strings.SplitN(x.start.ExecutionID, ":", 5); len(arn) == 5 {
		x.region = arn[3]
	}
	x.status = Running
	x.history = make([]HistoryEvent, 0, 8)
	h := x.record(nil, "ExecutionStarted", executionStarted)
	h.data, h.role = rawText(raw), x.start.RoleArn
	if x.machine.timeout > 0 {
		x.setTimer(nil, x.now.Add(x.machine.timeout))
	}
	x.root = &thread{state: x.machine.root.start, input: rawInput{input, raw}, variables: &variables{}}
	x.queue = append(x.queue, x.root)
	x.drain()
	return x.produced()
}

// rawInput is a value with the text that it was read from: the first state's
// input is recorded as it was given.
type rawInput struct {
	value any
	text  []byte
}

func (x *Execution) produced() ([]Command, []HistoryEvent, error) {
	commands, history := x.commands, x.history
	x.commands, x.history = nil, nil
	return commands, history, nil
}

// record adds a history event that follows t's last one and becomes t's last.
func (x *Execution) record(t *thread, eventType string, d detail) *HistoryEvent {
	var prev int64
	if t != nil {
		prev = t.prevID
	}
	h := x.recordAfter(prev, eventType, d)
	if t != nil {
		t.prevID = h.ID
	}
	return h
}

// recordAfter adds a history event that follows the one numbered prev.
func (x *Execution) recordAfter(prev int64, eventType string, d detail) *HistoryEvent {
	x.lastID++
	x.history = append(x.history, HistoryEvent{ID: x.lastID, PreviousID: prev, Time: x.now, Type: eventType, detail: d})
	return &x.history[len(x.history)-1]
}

// drain runs threads in the order in which they became ready until all wait.
func (x *Execution) drain() {
	for len(x.queue) > 0 && x.status == Running {
		t := x.queue[0]
		x.queue = x.queue[1:]
		for x.advance(t) && x.status == Running {
			if x.lastID >= maxHistoryEvents {
				x.failed(&failure{name: errRuntime, cause: fmt.Sprintf("The execution reached the maximum number of history events (%d).", maxHistoryEvents)}, t.prevID)
			}
		}
	}
	x.queue = nil
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
	if raw, ok := t.input.(rawInput); ok {
		h.data, t.input = rawText(raw.text), raw.value
	}
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
	t.resume, t.children = nil, nil
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

func (x *Execution) finish(f Finish) {
	for _, w := range x.waits.live() {
		if task, ok := w.command.(InvokeTask); ok {
			x.commands = append(x.commands, CancelTask{task.Ref})
		}
	}
	x.waits = waitList{}
	x.queue, x.root = nil, nil
	x.commands = append(x.commands, f)
}

func (x *Execution) setTimer(t *thread, at time.Time) {
	x.lastRef++
	c := SetTimer{Ref: x.lastRef, At: at}
	x.waits.add(wait{c.Ref, t, c})
	x.commands = append(x.commands, c)
}

// timerFired goes on after a Wait state's time or a retry's delay.
func (x *Execution) timerFired(t *thread) {
	if w, ok := t.state.(*waitState); ok {
		x.endWait(t, w)
	} else {
		t.retryCount++
		t.phase = phaseExecute
	}
	x.queue = append(x.queue, t)
}

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
