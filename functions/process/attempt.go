package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// errLeftBehind is the cause of a Timeout after which the worker still runs.
var errLeftBehind = errors.New("the worker still runs")

// maxMoment is how long a worker may take to return when its context has ended.
const maxMoment = 200 * time.Millisecond

// attempt runs the worker and returns why it failed, or nil. A worker that has
// not returned when its time is up is left behind, and one that could only begin
// then does not: another attempt may be under way.
func (h *Handler) attempt(ctx context.Context, t task.Task) *task.Error {
	t.Attempts = slices.Clone(t.Attempts)
	t.Owner = "" // the right to record an outcome stays here
	work, cancel := awslambda.Reserve(ctx)
	defer cancel()

	failure := task.Errorf(task.WorkerTimeout, "the attempt's time was up before the worker could begin")
	if work.Err() == nil {
		failure = h.run(ctx, work, t)
	}
	if failure != nil && shutDown(ctx) { // a success is one all the same
		return task.Errorf(task.Interrupted, "the host shut down while the worker of task %s ran", t.ID)
	}
	return failure
}

// run runs the worker with the context work until it returns, or until its time is up
// and it has had a moment to hear of it. ctx is the invocation's.
func (h *Handler) run(ctx, work context.Context, t task.Task) *task.Error {
	done := make(chan *task.Error, 1)
	go func() { h.work(work, t, done) }()
	select {
	case failure := <-done:
		return failure
	case <-work.Done():
	}
	moment := maxMoment
	if deadline, ok := ctx.Deadline(); ok { // most of what is left is for the record
		moment = min(moment, time.Until(deadline)/10)
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case failure := <-done:
		return failure
	case <-timer.C:
	}
	select {
	case failure := <-done: // both at once: the worker's word counts
		return failure
	default:
		return &task.Error{Kind: task.WorkerTimeout, Message: "the worker had not returned when its time was up", Cause: errLeftBehind}
	}
}

// shutDown tells whether the invocation was cut off by its host, and not by its
// deadline.
func shutDown(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// work runs the worker and sends why it failed, or nil, to done. Whatever the
// worker does, and its error's methods, ends here.
func (h *Handler) work(ctx context.Context, t task.Task, done chan<- *task.Error) {
	failure := task.Errorf(task.WorkerPanic, "the worker ended its goroutine") // by runtime.Goexit
	defer func() {
		if p := recover(); p != nil {
			failure = task.Errorf(task.WorkerPanic, "panic: %v", p)
			h.Log.ErrorContext(ctx, "worker panicked", "taskId", t.ID, "run", t.Run, "panic", task.Cut(failure.Message, task.MaxErrorBytes), "stack", string(debug.Stack()))
		}
		done <- failure
	}()
	failure = failureOf(ctx, h.Worker.Work(ctx, t))
}

// failureOf returns what an error of the worker means to the state machine. A
// worker can ask for no retry; no other kind is its to choose.
//
//	the worker returned               kind
//	a Permanent error, wrapped or not Permanent
//	its context's end, after that     Timeout
//	any other error                   WorkerError
func failureOf(ctx context.Context, err error) *task.Error {
	kind := task.WorkerError
	switch {
	case err == nil:
		return nil
	case permanent(err):
		kind = task.PermanentError
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		kind = task.WorkerTimeout
	}
	return &task.Error{Kind: kind, Message: cmp.Or(err.Error(), fmt.Sprintf("%T without a message", err)), Cause: err}
}

// permanent tells whether there is a Permanent error in err's tree, below other
// errors of the domain too.
func permanent(err error) bool {
	for {
		e, ok := errors.AsType[*task.Error](err)
		if !ok || e.Kind == task.PermanentError {
			return ok
		}
		err = e.Cause
	}
}
