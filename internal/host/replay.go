package host

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"tasks/internal/asl"
	"tasks/internal/task"
	"tasks/internal/taskdb"
)

// execution is an execution in memory. It is there while a task of it runs or an
// event is handled, and not while it only waits for a timer.
type execution struct {
	users int // under Executions.mu

	// locked holds one while somebody has what follows, perhaps waiting for the file. It
	// is no sync.Mutex: a wait for it can be given up, and lets the time of a simulation
	// pass.
	locked  chan struct{}
	state   *asl.Execution // nil: not loaded yet
	kept    taskdb.Execution
	clock   time.Time                    // of the last event; the machine's may be set back, an execution's not
	cancels map[int64]context.CancelFunc // of the tasks that run, by their ref
}

func (x *execution) lock()   { x.locked <- struct{}{} }
func (x *execution) unlock() { <-x.locked }

// executionID returns the ARN of a run's execution.
func (e *Executions) executionID(m task.Message) string {
	return "arn:aws:states:local:000000000000:execution:" + e.stateMachine + ":" + m.ExecutionName()
}

// stamp gives an event its time.
func (x *execution) stamp(event *asl.Event, now time.Time) {
	event.Time = now.UTC().Truncate(time.Millisecond)
	if event.Time.Before(x.clock) {
		event.Time = x.clock
	}
	x.clock = event.Time
}

// fill completes an event of m's execution, of which the journal has only what does
// not follow from m.
func (e *Executions) fill(event asl.Event, m task.Message) asl.Event {
	switch {
	case event.Start != nil:
		event.Start = &asl.StartInput{
			ExecutionID:      e.executionID(m),
			Name:             m.ExecutionName(),
			StateMachineID:   "arn:aws:states:local:000000000000:stateMachine:" + e.stateMachine,
			StateMachineName: e.stateMachine,
			Input:            json.RawMessage(m.Body()),
			Seed:             event.Start.Seed,
		}
	case event.Answer != nil:
		event.RequestID = requestID(m, event.Ref)
	}
	return event
}

// with calls f with an execution, loaded and locked.
func (e *Executions) with(m task.Message, f func(*execution)) {
	x := e.acquire(m)
	defer e.release(m, x)
	x.lock()
	defer x.unlock()
	if x.state == nil && !e.load(m, x) {
		return
	}
	f(x)
}

// load reads an execution from the file. When the file can't be read it tries
// until it can or the host stops.
func (e *Executions) load(m task.Message, x *execution) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		kept, err := e.db.Execution(e.ctx, m)
		if err == nil && kept.Status != task.ExecutionRunning || task.IsKind(err, task.NotFound) {
			return false // it has ended, or the task was redriven
		}
		if err == nil {
			_, err = e.replay(e.ctx, x, kept)
		}
		if err == nil {
			return true
		}
		if !task.IsKind(err, task.Unavailable) {
			if err = e.abandon(kept, err); err == nil {
				return false
			}
		}
		e.log.Error("execution not read, will be tried again", "taskId", m.TaskID, "run", m.Run, "error", err)
		select {
		case <-time.After(wait):
		case <-e.ctx.Done():
			return false
		}
	}
}

// abandon ends an execution whose journal this version can't replay, because
// of cause. Reconcile finds its task: it gets a new run if it was never claimed,
// and goes to the dead letter queue if it was.
func (e *Executions) abandon(kept taskdb.Execution, cause error) error {
	e.log.Error("execution can't be resumed, ended as aborted", "taskId", kept.TaskID, "run", kept.Run, "error", cause)
	kept.Status = task.ExecutionAborted
	err := e.db.SaveExecution(e.ctx, kept)
	if task.IsKind(err, task.Closed) {
		return nil // the task was redriven meanwhile
	}
	return err
}

// acquire returns m's execution in memory, where it stays until release.
func (e *Executions) acquire(m task.Message) *execution {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.live[m]
	if x == nil {
		x = &execution{locked: make(chan struct{}, 1)}
		e.live[m] = x
	}
	x.users++
	return x
}

// release undoes one acquire. An execution that nobody uses leaves memory.
func (e *Executions) release(m task.Message, x *execution) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x.users--; x.users == 0 {
		delete(e.live, m)
	}
}

// replay makes x what the journal says, and returns its history.
func (e *Executions) replay(ctx context.Context, x *execution, kept taskdb.Execution) ([]asl.HistoryEvent, error) {
	machine, err := e.machine(ctx, kept.Definition)
	if err != nil {
		return nil, err
	}
	state := machine.NewExecution()
	var history []asl.HistoryEvent
	dec := json.NewDecoder(bytes.NewReader(kept.Journal))
	for {
		var event asl.Event
		if err := dec.Decode(&event); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the journal of execution %s: %w", kept.ExecutionName(), err)
		}
		_, events, err := state.Step(e.fill(event, kept.Message))
		if err != nil {
			return nil, fmt.Errorf("replay execution %s: %w", kept.ExecutionName(), err)
		}
		history = append(history, events...)
		x.clock = event.Time
	}
	if kept.Status == task.ExecutionRunning && state.Status() != asl.Running {
		return nil, fmt.Errorf("the journal of execution %s, which runs, ends %q", kept.ExecutionName(), state.Status())
	}
	x.state, x.kept = state, kept
	return history, nil
}

// machine returns the machine of a definition.
func (e *Executions) machine(ctx context.Context, definition int64) (*asl.Machine, error) {
	e.mu.Lock()
	m := e.machines[definition]
	e.mu.Unlock()
	if m != nil {
		return m, nil
	}
	body, err := e.db.DefinitionBody(ctx, definition)
	if err != nil {
		return nil, err
	}
	if m, err = asl.Parse([]byte(body)); err != nil {
		return nil, fmt.Errorf("state machine definition %d: %w", definition, err)
	}
	e.mu.Lock()
	e.machines[definition] = m
	e.mu.Unlock()
	return m, nil
}

func statusOf(x *asl.Execution) task.ExecutionStatus { return task.ExecutionStatus(x.Status()) }

func appendEvent(journal []byte, event asl.Event) []byte {
	b, err := json.Marshal(event)
	if err != nil {
		panic(err) // strings, numbers, times and JSON that was checked always marshal
	}
	return append(append(journal[:len(journal):len(journal)], b...), '\n')
}
