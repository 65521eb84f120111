package asl

import (
	"encoding/json"
	"testing"
	"time"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func mustParse(t testing.TB, definition string) *Machine {
	t.Helper()
	m, err := Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// host drives one execution in a test and keeps what happened.
type host struct {
	t        testing.TB
	machine  *Machine
	x        *Execution
	now      time.Time
	journal  []Event
	commands []Command // of the last step
	history  []HistoryEvent
}

func start(t testing.TB, definition, input string) *host {
	t.Helper()
	m := mustParse(t, definition)
	h := &host{t: t, machine: m, x: m.NewExecution(), now: epoch}
	h.step(Event{Kind: Start, Start: &StartInput{
		ExecutionID:      "arn:aws:states:eu-central-1:123456789012:execution:machine:one",
		StateMachineID:   "arn:aws:states:eu-central-1:123456789012:stateMachine:machine",
		StateMachineName: "machine", Name: "one", RoleArn: "arn:aws:iam::123456789012:role/r",
		Input: json.RawMessage(input), Seed: 7,
	}})
	return h
}

func (h *host) step(e Event) {
	h.t.Helper()
	e.Time = h.now
	h.journal = append(h.journal, e)
	commands, history, err := h.x.Step(e)
	if err != nil {
		h.t.Fatal(err)
	}
	h.commands = commands
	h.history = append(h.history, history...)
}

// invoked gives the tasks that the last step asked for.
func (h *host) invoked() []InvokeTask {
	var tasks []InvokeTask
	for _, c := range h.commands {
		if task, ok := c.(InvokeTask); ok {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

// timer gives the only timer that the last step set, after now.
func (h *host) timer() (SetTimer, time.Duration) {
	h.t.Helper()
	var timers []SetTimer
	for _, c := range h.commands {
		if timer, ok := c.(SetTimer); ok {
			timers = append(timers, timer)
		}
	}
	if len(timers) != 1 {
		h.t.Fatalf("got %d timers, want 1: %v", len(timers), h.commands)
	}
	return timers[0], timers[0].At.Sub(h.now)
}

func (h *host) succeed(ref int64, output string) {
	h.t.Helper()
	h.step(Event{Kind: TaskSucceeded, Ref: ref, Output: json.RawMessage(output)})
}

func (h *host) failTask(ref int64, name, cause string) {
	h.t.Helper()
	h.step(Event{Kind: TaskFailed, Ref: ref, Error: name, Cause: cause})
}

// fire lets time jump to the timer.
func (h *host) fire(timer SetTimer) {
	h.t.Helper()
	h.now = timer.At
	h.step(Event{Kind: TimerFired, Ref: timer.Ref})
}

func (h *host) want(status Status, output string) {
	h.t.Helper()
	if h.x.Status() != status || status == Succeeded && string(h.x.Output()) != output {
		h.t.Fatalf("got %s %s (%s: %s), want %s %s", h.x.Status(), h.x.Output(), h.x.Error(), h.x.Cause(), status, output)
	}
}

func (h *host) wantFailure(status Status, name, cause string) {
	h.t.Helper()
	if h.x.Status() != status || h.x.Error() != name || h.x.Cause() != cause {
		h.t.Fatalf("got %s, %q, %q (output %s)\nwant %s, %q, %q", h.x.Status(), h.x.Error(), h.x.Cause(), h.x.Output(), status, name, cause)
	}
}

const function = "arn:aws:lambda:eu-central-1:123456789012:function:f"
