package asl

import (
	"encoding/json"
	"slices"
	"time"
)

// Machine is a parsed and validated state machine. It is immutable and safe for
// concurrent use by any number of executions.
type Machine struct {
	root    *scope
	timeout time.Duration
	tasks   []*taskState
}

// scope is a set of states with a first one: the machine itself, a branch of a
// Parallel state or the item processor of a Map state.
type scope struct {
	startAt string
	start   state
	states  map[string]state
	order   []state // as written
}

// state is one of *passState, *taskState, *choiceState, *waitState,
// *succeedState, *failState, *parallelState and *mapState.
type state interface{ common() *base }

// base is what all states have.
type base struct {
	name  string
	at    string // its place in the definition, such as States.Process
	types eventTypes
	next  target
	io    ioFields

	// Of Task, Parallel and Map states.
	retry         []Retrier
	catch         []catcher
	hasRetryCount bool // in the context object
}

func (b *base) common() *base { return b }

// target is where a transition leads; the zero value ends the scope.
type target struct {
	name  string
	state state
}

// eventTypes are the history event types of one state type.
type eventTypes struct{ entered, exited, aborted string }

func stateEvents(stateType string) eventTypes {
	return eventTypes{stateType + "StateEntered", stateType + "StateExited", stateType + "StateAborted"}
}

// Retrier is an entry of a Retry field, with the defaults filled in.
type Retrier struct {
	ErrorEquals []string
	Interval    time.Duration
	MaxAttempts int
	BackoffRate float64
	MaxDelay    time.Duration // 0 is none
	FullJitter  bool
}

// Catcher is an entry of a Catch field.
type Catcher struct {
	ErrorEquals []string
	Next        string
}

type catcher struct {
	errorEquals []string
	next        target
	resultPath  pathField
	assign      *template
}

// TaskState describes a Task state, at the top or nested, for hosts and for
// tests that compare a definition with the code that it calls.
type TaskState struct {
	State    string // its name, unique in the machine
	Path     string // its place in the definition: States.Process
	Resource string // a service integration's has the partition aws
	// Timeout and Heartbeat are 0 if there is none or if it is a path.
	Timeout    time.Duration
	Heartbeat  time.Duration
	Parameters json.RawMessage // as in the definition, compact; nil if there are none
	Retry      []Retrier
	Catch      []Catcher
}

// Tasks lists every Task state, also those in branches and iterations, in the
// order of the definition.
func (m *Machine) Tasks() []TaskState {
	tasks := make([]TaskState, 0, len(m.tasks))
	for _, s := range m.tasks {
		t := TaskState{
			State: s.name, Path: s.at, Resource: s.resource,
			Timeout: s.timeout.fixed(), Heartbeat: s.heartbeat.fixed(),
			Retry: slices.Clone(s.retry),
		}
		if s.io.parameters != nil {
			t.Parameters = encode(s.io.parameters.constant)
		}
		for _, c := range s.catch {
			t.Catch = append(t.Catch, Catcher{c.errorEquals, c.next.name})
		}
		tasks = append(tasks, t)
	}
	return tasks
}

// CheckResources refuses, by name and place, each Task state whose Resource the
// host does not know. The error is an *InvalidError. The engine itself runs any
// request-response integration.
func (m *Machine) CheckResources(known func(resource string) bool) error {
	var problems []Problem
	for _, s := range m.tasks {
		if !known(s.resource) {
			problems = append(problems, Problem{s.at + ".Resource", "the resource " + s.resource + " is not supported here", s.line, s.column})
		}
	}
	if problems == nil {
		return nil
	}
	return &InvalidError{problems}
}

// NewExecution returns an execution that awaits its Start event.
func (m *Machine) NewExecution() *Execution { return &Execution{machine: m} }
