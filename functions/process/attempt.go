package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// attempt runs the worker and returns why it failed, or nil. A worker that has
// not returned when its time is up is left behind.
func (h *Handler) attempt(ctx context.Context, t task.Task) *task.Error {
	t.Attempts = slices.Clone(t.Attempts)
	t.Owner = "" // the right to record an outcome stays here
	work, cancel := awslambda.Reserve(ctx)
	defer cancel()

	done := make(chan *task.Error, 1)
	go func() { h.work(work, t, done) }()
	var failure *task.Error
	select {
	case failure = <-done:
	case <-work.Done():
		select {
		case failure = <-done: // both at once: the worker's word counts
		default:
			failure = task.Errorf(task.WorkerTimeout, "the worker had not returned when its time was up")
		}
	}
	if failure != nil && shutDown(ctx) { // a success is one all the same
		return task.Errorf(task.Interrupted, "the host shut down while the worker of task %s ran", t.ID)
	}
	return failure
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
			h.Log.ErrorContext(ctx, "worker panicked", "taskId", t.ID, "run", t.Run, "panic", failure.Message, "stack", string(debug.Stack()))
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
