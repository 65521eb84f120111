package tasktest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"tasks/internal/task"
)

// Executions are task.Executions in memory. They run nothing: an execution
// that was started runs until End.
type Executions struct {
	Faults
	// Express makes Status and History answer that they are not supported.
	Express bool

	mu      sync.Mutex
	started []task.Message
	byName  map[string]*execution
}

type execution struct {
	outcome task.ExecutionOutcome
	events  []json.RawMessage
}

var _ task.Executions = (*Executions)(nil)

// NewExecutions returns Executions of which none has been started.
func NewExecutions() *Executions { return &Executions{byName: map[string]*execution{}} }

// Started returns the messages whose executions were started, oldest first.
func (e *Executions) Started() []task.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.started)
}

// End brings m's execution to an end. It panics if it was never started.
func (e *Executions) End(m task.Message, outcome task.ExecutionOutcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.byName[m.ExecutionName()]
	x.outcome = outcome
	switch outcome.Status {
	case task.ExecutionSucceeded:
		x.record("ExecutionSucceeded", "executionSucceededEventDetails", map[string]string{"output": "{}"})
	case task.ExecutionFailed:
		x.record("ExecutionFailed", "executionFailedEventDetails", failure(outcome))
	case task.ExecutionTimedOut:
		x.record("ExecutionTimedOut", "executionTimedOutEventDetails", failure(outcome))
	case task.ExecutionAborted:
		x.record("ExecutionAborted", "executionAbortedEventDetails", failure(outcome))
	}
}

// Start implements task.Executions.
func (e *Executions) Start(_ context.Context, m task.Message) error {
	return e.do("Start", func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if x, known := e.byName[m.ExecutionName()]; known {
			if x.outcome.Status != task.ExecutionRunning {
				return task.Errorf(task.Closed, "execution %s has ended", m.ExecutionName())
			}
			return nil
		}
		x := &execution{outcome: task.ExecutionOutcome{Status: task.ExecutionRunning}}
		x.record("ExecutionStarted", "executionStartedEventDetails", map[string]string{"input": m.Body()})
		e.byName[m.ExecutionName()] = x
		e.started = append(e.started, m)
		return nil
	})
}

// Status implements task.Executions.
func (e *Executions) Status(_ context.Context, m task.Message) (outcome task.ExecutionOutcome, err error) {
	err = e.do("Status", func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		x, err := e.get(m)
		if err != nil {
			return err
		}
		outcome = x.outcome
		return nil
	})
	return outcome, err
}

// History implements task.Executions.
func (e *Executions) History(_ context.Context, m task.Message) (events []json.RawMessage, err error) {
	err = e.do("History", func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		x, err := e.get(m)
		if err != nil {
			return err
		}
		events = slices.Clone(x.events)
		return nil
	})
	return events, err
}

func (e *Executions) get(m task.Message) (*execution, error) {
	if e.Express {
		return nil, task.Errorf(task.Unsupported, "EXPRESS executions can't be described")
	}
	x, ok := e.byName[m.ExecutionName()]
	if !ok {
		return nil, task.Errorf(task.NotFound, "there is no execution %s", m.ExecutionName())
	}
	return x, nil
}

func failure(o task.ExecutionOutcome) map[string]string {
	return map[string]string{"error": o.Error, "cause": o.Cause}
}

func (x *execution) record(eventType, detailsName string, details map[string]string) {
	b, err := json.Marshal(details)
	if err != nil {
		panic(err) // strings always marshal
	}
	n := len(x.events)
	x.events = append(x.events, json.RawMessage(fmt.Sprintf(
		`{"timestamp":%q,"type":%q,"id":%d,"previousEventId":%d,%q:%s}`,
		task.At(time.Now()), eventType, n+1, n, detailsName, b)))
}
