package host

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// functionError is the error of an invocation as its caller sees it.
type functionError struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

func (e *functionError) Error() string { return e.Type + ": " + e.Message }

// cause returns the error as Step Functions gives it in a cause.
func (e *functionError) cause() string {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // two strings always marshal
	}
	return string(b)
}

// invoke calls a handler as Lambda would: with the function's timeout as its
// deadline, with its error as the runtime reports it, and without waiting for
// one that hangs. A panic is one failed invocation, not the end of the process:
// other invocations share it here.
func invoke[In, Out any](ctx context.Context, g *goroutines, log *slog.Logger, f function, handle func(context.Context, In) (Out, error), in In) (Out, *functionError) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	type result struct {
		out Out
		err *functionError
	}
	done := make(chan result, 1)
	g.run(func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				log.Error("function panicked", "function", f.name, "panic", task.Cut(fmt.Sprint(p), task.MaxErrorBytes), "stack", string(debug.Stack()))
				r.err = &functionError{Type: "Runtime.ExitError", Message: "the function panicked"}
			}
			done <- r
		}()
		out, err := handle(ctx, in)
		r.out = out
		if err != nil {
			failure := awslambda.Failure(err)
			r.err = &functionError{Type: failure.Type, Message: failure.Message}
		}
	})
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done: // both at once: the answer counts
		return r.out, r.err
	default:
	}
	if context.Cause(ctx) != context.DeadlineExceeded {
		// The host stops. The handlers end by themselves now, each in its way.
		r := <-done
		return r.out, r.err
	}
	var none Out
	return none, &functionError{Type: string(task.SandboxTimedout), Message: fmt.Sprintf("Task timed out after %.2f seconds", f.timeout.Seconds())}
}

// function is one of the template's functions.
type function struct {
	name    string
	timeout time.Duration
}
