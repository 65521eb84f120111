package host

import (
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
// follows from an event is done, or in one commit with its first write (see
// taskdb.Chain); its state is what asl makes of the journal. So the host can die at
// any point: when it starts again, resume replays the journals and does again what
// had no answer.
type Executions struct {
	db           *taskdb.DB
	definition   int64 // the id of the current definition
	stateMachine string
	runTask      func(ctx context.Context, c asl.InvokeTask) (json.RawMessage, *functionError)
	seed         func(task.Message) uint64 // of an execution's random numbers
	log          *slog.Logger

	ctx        context.Context // of the tasks that run
	goroutines *goroutines
	slots      *slots        // of the tasks that may run at once
	suspects   *slots        // one, of those that resume begins one by one, when it has found all
	suspectFor time.Duration // how long each keeps the next from beginning
	timers     *timers
	fired      chan struct{} // holds one for each timer that is being handled
	running    sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	machines map[int64]*asl.Machine // by the id of their definition
	live     map[task.Message]*execution
}

func newExecutions(ctx context.Context, g *goroutines, db *taskdb.DB, machine *asl.Machine, definition int64, stateMachine string, log *slog.Logger) *Executions {
	return &Executions{
		db: db, definition: definition, stateMachine: stateMachine, log: log,
		seed: func(task.Message) uint64 { return rand.Uint64() },
		ctx:  ctx, goroutines: g, slots: newSlots(concurrency), suspects: newSlots(0), timers: newTimers(), fired: make(chan struct{}, maxFired),
		machines: map[int64]*asl.Machine{definition: machine},
		live:     map[task.Message]*execution{},
	}
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
	select {
	case x.locked <- struct{}{}:
		defer x.unlock()
	case <-ctx.Done():
		return task.Errorf(task.Unavailable, "start execution %s: %w", m.ExecutionName(), ctx.Err())
	}
	if x.state != nil {
		return nil // it runs
	}
	event := asl.Event{Kind: asl.Start, Start: &asl.StartInput{Seed: e.seed(m)}}
	x.stamp(&event, e.db.Now())
	state := machine.NewExecution()
	commands, _, err := state.Step(e.fill(event, m))
	if err != nil {
		return fmt.Errorf("start execution %s: %w", m.ExecutionName(), err)
	}
	kept := taskdb.Execution{Message: m, Definition: e.definition, Status: statusOf(state), Journal: appendEvent(nil, event)}
	chain := &taskdb.Chain{}
	started, err := e.db.StartExecution(chain.Context(ctx), kept)
	if err != nil || !started {
		return err
	}
	x.state, x.kept = state, kept
	rest := e.doEarly(x, commands, chain) // the first attempt's claim shares its commit
	if err := chain.Wait(); err != nil {
		x.state = nil
		return err
	}
	e.do(x, rest, x.clock)
	return nil
}

// Status implements task.Executions.
func (e *Executions) Status(ctx context.Context, m task.Message) (task.ExecutionOutcome, error) {
	kept, err := e.db.Execution(ctx, m)
	if err != nil {
		return task.ExecutionOutcome{}, err
	}
	outcome := task.ExecutionOutcome{Status: kept.Status}
	if kept.Status == task.ExecutionRunning {
		return outcome, nil
	}
	var x execution
	switch _, err := e.replay(ctx, &x, kept); {
	case task.IsKind(err, task.Unavailable):
		return task.ExecutionOutcome{}, err
	case err == nil: // else this version can't read the journal: see abandon
		outcome.Error, outcome.Cause = x.state.Error(), x.state.Cause()
	}
	return outcome, nil
}

// History implements task.Executions.
func (e *Executions) History(ctx context.Context, m task.Message) ([]json.RawMessage, error) {
	kept, err := e.db.Execution(ctx, m)
	if err != nil {
		return nil, err
	}
	events, err := e.replay(ctx, new(execution), kept)
	if task.IsKind(err, task.Unavailable) {
		return nil, err
	}
	if err != nil || kept.Status == task.ExecutionAborted { // see abandon
		return nil, task.Errorf(task.Unsupported, "this version can't read the journal of execution %s", m.ExecutionName())
	}
	out := make([]json.RawMessage, len(events))
	for i, event := range events {
		if out[i], err = json.Marshal(event); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// suspectsWithin is how long it takes at most until all suspects have begun.
const suspectsWithin = 10 * time.Minute

// resume takes up every execution that was running when the host stopped. What
// it was doing is done again at once; what it was waiting for keeps its time. If the host
// died, attempts that were cut off before that already run one by one: one of their
// workers may be what kills the host, and the others must not go down with it each time.
func (e *Executions) resume(ctx context.Context) (resumed int, err error) {
	err = e.db.RunningExecutions(ctx, func(kept taskdb.Execution, interrupted bool) error {
		x := e.acquire(kept.Message)
		defer e.release(kept.Message, x)
		x.lock()
		defer x.unlock()
		if _, err := e.replay(ctx, x, kept); task.IsKind(err, task.Unavailable) {
			return err
		} else if err != nil {
			return e.abandon(kept, err)
		}
		since := e.db.Now()
		if since.Before(x.clock) { // the clock was set back
			since = x.clock
		}
		slots := e.slots
		if interrupted && e.db.Crashed() {
			slots = e.suspects
		}
		e.doIn(slots, x, x.state.Pending(), since)
		resumed++
		return nil
	})
	e.suspectFor = min(suspectsWithin/time.Duration(max(1, e.suspects.waiting())), time.Minute)
	e.leave(e.suspects)
	return resumed, err
}

// handle applies an event to an execution: keeps it, and then does what follows
// from it. It gives up only when the host stops; the event's cause happens again
// after the next start. The chain is that of the attempt that the event answers: if
// what that has recorded could not be written, the event is that it has failed.
func (e *Executions) handle(m task.Message, event asl.Event, chain *taskdb.Chain) {
	err := e.apply(m, event, chain)
	if !errors.Is(err, taskdb.ErrLost) {
		return
	}
	if event.Kind == asl.TaskSucceeded || event.Kind == asl.TaskFailed && event.Error != string(task.PermanentError) {
		failure := &functionError{Type: string(task.Unrecorded), Message: err.Error()}
		event = asl.Event{Kind: asl.TaskFailed, Ref: event.Ref, Error: failure.Type, Cause: failure.cause()}
	}
	e.apply(m, event, &taskdb.Chain{})
}

// apply does what handle says, unless the chain has lost something.
func (e *Executions) apply(m task.Message, event asl.Event, chain *taskdb.Chain) (lost error) {
	e.with(m, func(x *execution) {
		x.stamp(&event, e.db.Now())
		commands, history, err := x.state.Step(e.fill(event, m))
		delete(x.cancels, event.Ref)
		switch {
		case err != nil:
			e.log.Error("execution does not take an event", "taskId", m.TaskID, "run", m.Run, "event", event.Kind, "error", err)
			return
		case len(commands) == 0 && len(history) == 0:
			return // nobody waits for it any more: not worth a write
		}
		x.kept.Journal, x.kept.Status = appendEvent(x.kept.Journal, event), statusOf(x.state)
		if lost = e.keep(x, chain); lost == nil && x.state != nil {
			e.do(x, commands, x.clock)
		}
	})
	return lost
}

// keep saves an execution. When the file can't be written it tries until it can
// or the host stops. When the chain has lost something it does not. The execution
// is taken out of memory if it could not be kept: its state is ahead of the file.
func (e *Executions) keep(x *execution, chain *taskdb.Chain) (lost error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := e.db.SaveExecution(chain.Context(e.ctx), x.kept)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, taskdb.ErrLost):
			x.state = nil
			return err
		case !task.IsKind(err, task.Unavailable):
			// The task was redriven meanwhile: nobody waits for this one.
			x.state = nil
			return nil
		}
		e.log.Error("execution not kept, will be tried again", "taskId", x.kept.TaskID, "run", x.kept.Run, "error", err)
		select {
		case <-time.After(wait):
		case <-e.ctx.Done():
			x.state = nil
			return nil
		}
	}
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
