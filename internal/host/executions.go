package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"tasks/internal/asl"
	"tasks/internal/task"
	"tasks/internal/taskdb"
)

// Executions runs the workflow executions: it implements task.Executions.
//
// An execution is the journal of its events, which is kept before anything that
// follows from an event is done; its state is what asl makes of the journal. So
// the host can die at any point: when it starts again, resume replays the
// journals and does again what had no answer.
type Executions struct {
	db           *taskdb.DB
	definition   int64 // the id of the current definition
	stateMachine string
	runTask      func(ctx context.Context, c asl.InvokeTask) (json.RawMessage, *functionError)
	log          *slog.Logger

	ctx     context.Context // of the tasks that run
	slots   chan struct{}   // one for each attempt that may run at once
	timers  *timers
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	machines map[int64]*asl.Machine // by the id of their definition
	live     map[task.Message]*execution
}

// execution is an execution in memory. It is there while a task of it runs or an
// event is handled, and not while it only waits for a timer.
type execution struct {
	users int // under Executions.mu

	mu      sync.Mutex
	state   *asl.Execution // nil: not loaded yet
	kept    taskdb.Execution
	clock   time.Time                    // of the last event; the machine's may be set back, an execution's not
	cancels map[int64]context.CancelFunc // of the tasks that run, by their ref
}

func newExecutions(ctx context.Context, db *taskdb.DB, machine *asl.Machine, definition int64, stateMachine string, log *slog.Logger) *Executions {
	return &Executions{
		db: db, definition: definition, stateMachine: stateMachine, log: log,
		ctx: ctx, slots: make(chan struct{}, concurrency), timers: newTimers(),
		machines: map[int64]*asl.Machine{definition: machine},
		live:     map[task.Message]*execution{},
	}
}

// executionID returns the ARN of a run's execution.
func (e *Executions) executionID(m task.Message) string {
	return "arn:aws:states:local:000000000000:execution:" + e.stateMachine + ":" + m.ExecutionName()
}

// stamp gives an event its time.
func (x *execution) stamp(event *asl.Event) {
	event.Time = time.Now().UTC().Truncate(time.Millisecond)
	if event.Time.Before(x.clock) {
		event.Time = x.clock
	}
	x.clock = event.Time
}

// fill completes the first event of m's execution. The journal has the seed
// alone: the rest follows from m.
func (e *Executions) fill(event asl.Event, m task.Message) asl.Event {
	if event.Start != nil {
		event.Start = &asl.StartInput{
			ExecutionID:      e.executionID(m),
			Name:             m.ExecutionName(),
			StateMachineID:   "arn:aws:states:local:000000000000:stateMachine:" + e.stateMachine,
			StateMachineName: e.stateMachine,
			Input:            json.RawMessage(m.Body()),
			Seed:             event.Start.Seed,
		}
	}
	return event
}

// Start implements task.Executions. When it returns, the execution is kept and
// its message is off the queue.
func (e *Executions) Start(ctx context.Context, m task.Message) error {
	machine, err := e.machine(ctx, e.definition)
	if err != nil {
		return err
	}
	x := e.acquire(m)
	defer e.release(m, x)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state != nil {
		return nil // it runs
	}
	event := asl.Event{Kind: asl.Start, Start: &asl.StartInput{Seed: rand.Uint64()}}
	x.stamp(&event)
	state := machine.NewExecution()
	commands, _, err := state.Step(e.fill(event, m))
	if err != nil {
		return fmt.Errorf("start execution %s: %w", m.ExecutionName(), err)
	}
	kept := taskdb.Execution{Message: m, Definition: e.definition, Status: statusOf(state), Journal: appendEvent(nil, event)}
	started, err := e.db.StartExecution(ctx, kept)
	if err != nil || !started {
		return err
	}
	x.state, x.kept = state, kept
	e.do(x, commands)
	return nil
}

// Status implements task.Executions.
func (e *Executions) Status(ctx context.Context, m task.Message) (task.ExecutionOutcome, error) {
	kept, err := e.db.Execution(ctx, m)
	if err != nil {
		return task.ExecutionOutcome{}, err
	}
	var x execution
	if _, err := e.replay(ctx, &x, kept); err != nil {
		return task.ExecutionOutcome{}, err
	}
	return task.ExecutionOutcome{Status: kept.Status, Error: x.state.Error(), Cause: x.state.Cause()}, nil
}

// History implements task.Executions.
func (e *Executions) History(ctx context.Context, m task.Message) ([]json.RawMessage, error) {
	kept, err := e.db.Execution(ctx, m)
	if err != nil {
		return nil, err
	}
	events, err := e.replay(ctx, new(execution), kept)
	if err != nil {
		return nil, err
	}
	out := make([]json.RawMessage, len(events))
	for i, event := range events {
		if out[i], err = json.Marshal(event); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// resume takes up every execution that was running when the host stopped. What
// it was doing is done again at once; what it was waiting for keeps its time.
func (e *Executions) resume(ctx context.Context) (resumed int, err error) {
	err = e.db.RunningExecutions(ctx, func(kept taskdb.Execution) error {
		x := e.acquire(kept.Message)
		defer e.release(kept.Message, x)
		x.mu.Lock()
		defer x.mu.Unlock()
		if _, err := e.replay(ctx, x, kept); err != nil {
			e.abandon(kept, err)
			return nil
		}
		e.do(x, x.state.Pending())
		resumed++
		return nil
	})
	return resumed, err
}

// handle applies an event to an execution: keeps it, and then does what follows
// from it. It gives up only when the host stops; the event's cause happens again
// after the next start.
func (e *Executions) handle(m task.Message, event asl.Event) {
	e.with(m, func(x *execution) {
		x.stamp(&event)
		commands, history, err := x.state.Step(event)
		delete(x.cancels, event.Ref)
		switch {
		case err != nil:
			e.log.Error("execution does not take an event", "taskId", m.TaskID, "run", m.Run, "event", event.Kind, "error", err)
			return
		case len(commands) == 0 && len(history) == 0:
			return // nobody waits for it any more: not worth a write
		}
		x.kept.Journal, x.kept.Status = appendEvent(x.kept.Journal, event), statusOf(x.state)
		if e.keep(x) {
			e.do(x, commands)
		}
	})
}

// keep saves an execution. When the file can't be written it tries until it can
// or the host stops.
func (e *Executions) keep(x *execution) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := e.db.SaveExecution(e.ctx, x.kept)
		switch {
		case err == nil:
			return true
		case !task.IsKind(err, task.Unavailable):
			// The task was redriven meanwhile: nobody waits for this one.
			x.state = nil
			return false
		}
		e.log.Error("execution not kept, will be tried again", "taskId", x.kept.TaskID, "run", x.kept.Run, "error", err)
		select {
		case <-time.After(wait):
		case <-e.ctx.Done():
			x.state = nil
			return false
		}
	}
}

// do carries out commands.
func (e *Executions) do(x *execution, commands []asl.Command) {
	for _, c := range commands {
		switch c := c.(type) {
		case asl.InvokeTask:
			ctx, cancel := context.WithCancel(e.ctx)
			if x.cancels == nil {
				x.cancels = map[int64]context.CancelFunc{}
			}
			x.cancels[c.Ref] = cancel
			e.dispatch(ctx, cancel, x, c)
		case asl.SetTimer:
			e.timers.set(timer{at: c.At, m: x.kept.Message, ref: c.Ref})
		case asl.CancelTask:
			if cancel := x.cancels[c.Ref]; cancel != nil {
				cancel()
			}
		case asl.Finish:
		}
	}
}

// dispatch runs a task and gives its answer to the execution, which stays in
// memory until then.
func (e *Executions) dispatch(ctx context.Context, cancel context.CancelFunc, x *execution, c asl.InvokeTask) {
	if !e.begin() {
		cancel()
		return // kept as pending
	}
	m := x.kept.Message
	e.acquire(m)
	go func() {
		defer e.running.Done()
		defer cancel()
		defer e.release(m, x)
		select {
		case e.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		event := e.run(ctx, c)
		<-e.slots
		if e.ctx.Err() != nil {
			return // cut off by the host's end: it counts as not answered
		}
		e.handle(m, event)
	}()
}

// run runs a task and returns the event of its answer. Its timeout is counted
// from here.
func (e *Executions) run(ctx context.Context, c asl.InvokeTask) asl.Event {
	if limit := shorter(c.Timeout, c.Heartbeat); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	out, failure := e.runTask(ctx, c)
	event := asl.Event{Kind: asl.TaskSucceeded, Ref: c.Ref, Output: out}
	switch {
	case failure != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		event.Kind = asl.TaskTimedOut
		if c.Heartbeat > 0 && c.Heartbeat == shorter(c.Timeout, c.Heartbeat) {
			event.Kind = asl.TaskHeartbeatTimedOut
		}
	case failure != nil:
		event.Kind, event.Error, event.Cause = asl.TaskFailed, failure.Type, failure.cause()
	}
	return event
}

// shorter returns the shorter of two timeouts, of which 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// fire is what timers calls. The event waits for the file, so it has a
// goroutine of its own.
func (e *Executions) fire(t timer) {
	if !e.begin() {
		return
	}
	go func() {
		defer e.running.Done()
		e.handle(t.m, asl.Event{Kind: asl.TimerFired, Ref: t.ref})
	}()
}

// begin counts something as running, unless the host stops.
func (e *Executions) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return false
	}
	e.running.Add(1)
	return true
}

// stop has nothing new begun. What runs goes on: running waits for it.
func (e *Executions) stop() {
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
}

// room waits until another attempt could run.
func (e *Executions) room(ctx context.Context) error {
	select {
	case e.slots <- struct{}{}:
		<-e.slots
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// with calls f with an execution, loaded and locked.
func (e *Executions) with(m task.Message, f func(*execution)) {
	x := e.acquire(m)
	defer e.release(m, x)
	x.mu.Lock()
	defer x.mu.Unlock()
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
		switch {
		case err == nil:
			return true
		case !task.IsKind(err, task.Unavailable):
			e.abandon(kept, err)
			return false
		}
		e.log.Error("execution not read, will be tried again", "taskId", m.TaskID, "run", m.Run, "error", err)
		select {
		case <-time.After(wait):
		case <-e.ctx.Done():
			return false
		}
	}
}

// abandon ends an execution whose journal this version can't replay. Reconcile
// finds its task and sends it to the dead letter queue.
func (e *Executions) abandon(kept taskdb.Execution, err error) {
	e.log.Error("execution can't be resumed, ended as aborted", "taskId", kept.TaskID, "run", kept.Run, "error", err)
	kept.Status = task.ExecutionAborted
	if err := e.db.SaveExecution(e.ctx, kept); err != nil {
		e.log.Error("execution not ended", "taskId", kept.TaskID, "run", kept.Run, "error", err)
	}
}

// acquire returns m's execution in memory, where it stays until release.
func (e *Executions) acquire(m task.Message) *execution {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.live[m]
	if x == nil {
		x = &execution{}
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
	for dec.More() {
		var event asl.Event
		if err := dec.Decode(&event); err != nil {
			return nil, fmt.Errorf("read the journal of execution %s: %w", kept.ExecutionName(), err)
		}
		_, events, err := state.Step(e.fill(event, kept.Message))
		if err != nil {
			return nil, fmt.Errorf("replay execution %s: %w", kept.ExecutionName(), err)
		}
		history = append(history, events...)
		x.clock = event.Time
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
