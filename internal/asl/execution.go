package asl

import (
	"encoding/json"
	"errors"
	"fmt"
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
	waits   waitList
	queue   []*thread

	// What the current step has produced.
	commands []Command
	history  []HistoryEvent
}

// Status is "" before the Start event.
func (x *Execution) Status() Status { return x.status }

// Output is the output of a SUCCEEDED execution as JSON, otherwise nil.
func (x *Execution) Output() json.RawMessage {
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

// Awaited returns the command of a Ref while it awaits its answer, and nil
// before and after.
func (x *Execution) Awaited(ref int64) Command {
	if w := x.waits.find(ref); w != nil {
		return w.command
	}
	return nil
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
// What it returns is the caller's until the next Step.
//
// An event for a Ref that is no longer awaited (a stale timer, the late result
// of a cancelled task) and any event after the end are ignored. An error is a
// bug of the caller (a second Start, a result that isn't JSON, a kind that does
// not fit the command) and leaves the execution as it was.
func (x *Execution) Step(e Event) ([]Command, []HistoryEvent, error) {
	x.commands, x.history = x.commands[:0], x.history[:0]
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
		x.now = clock(e)
		x.stop(Aborted, "ExecutionAborted", validText(e.Error), validText(e.Cause))
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
	x.now = clock(e)
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
	switch c := w.command.(type) {
	case SetTimer:
		if e.Kind != TimerFired {
			return nil, fmt.Errorf("asl: event %q answers timer %d", e.Kind, e.Ref)
		}
	case InvokeTask:
		switch e.Kind {
		case TaskSucceeded:
			var v any
			var err error
			switch {
			case len(e.Answer) > 0:
				v, err = response(c.Resource, e)
			case len(e.Output) > 0:
				v, err = decode(e.Output, nil)
			}
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
	x.now = clock(e)
	x.startTime = x.now
	if arn := strings.SplitN(x.start.ExecutionID, ":", 5); len(arn) == 5 {
		x.region = arn[3]
	}
	x.status = Running
	x.history = make([]HistoryEvent, 0, 4) // for a task to start, or to succeed
	h := x.record(nil, "ExecutionStarted", executionStarted)
	h.data, h.role = input, x.start.RoleArn
	if x.machine.timeout > 0 {
		x.setTimer(nil, x.now.Add(x.machine.timeout))
	}
	root := &thread{state: x.machine.root.start, input: input, variables: &variables{}}
	x.queue = append(x.queue, root)
	x.drain()
	return x.produced()
}

// clock gives the event's time as it is after a journal has kept it as text.
func clock(e Event) time.Time { return e.Time.UTC().Round(0) }

func (x *Execution) produced() ([]Command, []HistoryEvent, error) {
	return x.commands, x.history, nil
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

func (x *Execution) finish(f Finish) {
	for _, w := range x.waits.live() {
		if task, ok := w.command.(InvokeTask); ok {
			x.commands = append(x.commands, CancelTask{task.Ref})
		}
	}
	x.waits = waitList{}
	x.queue = nil
	x.commands = append(x.commands, f)
}
