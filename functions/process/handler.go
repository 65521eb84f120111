// Package process is the function that the state machine invokes: it runs one
// attempt of a task. The worker, in worker.go, is the part to replace.
package process

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tasks/internal/task"
)

const (
	// leaseMargin is how much longer than the invocation its lease is: clocks
	// differ, and nobody is in a hurry to take over.
	leaseMargin = 10 * time.Second
)

// Input is what the state machine sends for an attempt.
type Input struct {
	task.Message
	// RetryCount is $$.State.RetryCount.
	RetryCount int `json:"retryCount"`
	// ExecutionID is $$.Execution.Id.
	ExecutionID string `json:"executionId"`
	// Retry is what the state machine's retrier for failed attempts says.
	Retry task.RetryPolicy `json:"retry"`
}

// Output is for the eye: the outcome is in the record.
type Output struct {
	task.Message
	Outcome Outcome `json:"outcome"`
}

// Outcome is how an invocation without an error ended.
type Outcome string

// The outcomes.
const (
	// Processed: the worker ran and its success is recorded.
	Processed Outcome = "processed"
	// Skipped: others have done, or do, the work; the worker did not run.
	Skipped Outcome = "skipped"
	// Superseded: the worker ran, but the task was given to another attempt
	// meanwhile, whose outcome counts.
	Superseded Outcome = "superseded"
)

// Handler runs attempts. Invoked again with the same input it runs the worker
// no second time once the first invocation has recorded its outcome. While that
// one still runs it is taken for dead, for mostly a workflow asks again only then:
// of two that run at once, the later one's outcome counts.
type Handler struct {
	Store  task.Store
	Worker Worker
	// Retention is how long a task is kept after its success.
	Retention time.Duration
	Log       *slog.Logger
	// LeftBehind, if it is not nil, is called when the worker of an attempt has not
	// returned and all else is done. On Lambda it does not return: an answer would have
	// the worker frozen, and thawed beside that of another task. At the function's timeout
	// Lambda ends the process, which the state machine retries like any failure.
	LeftBehind func()
	// Clock is that of claims and outcomes, by which a retry is told from an invocation
	// that came too early.
	Clock task.Clock
}

// Handle runs one attempt: it claims the task, runs the worker and records the
// outcome. The kind of the error tells the state machine what to do next.
func (h *Handler) Handle(ctx context.Context, in Input) (Output, error) {
	if err := in.check(); err != nil {
		return Output{}, err
	}
	token := rand.Text()
	outcome, t, err := h.claim(ctx, in, token)
	if err != nil {
		return Output{}, err
	}
	switch outcome {
	case task.ClaimSkip:
		return Output{in.Message, Skipped}, nil
	case task.ClaimRecorded, task.ClaimExhausted:
		return Output{}, task.Errorf(task.Kind(t.ErrorType), "%s", t.ErrorMessage)
	}
	failure := h.attempt(ctx, t)
	if failure != nil && failure.Kind == task.Interrupted {
		return Output{}, failure // nothing is recorded: the next claim does that
	}
	err = h.finish(ctx, in, token, len(t.Attempts), failure)
	if failure != nil && failure.Cause == errLeftBehind && h.LeftBehind != nil {
		h.LeftBehind()
	}
	switch {
	case task.IsKind(err, task.Fenced):
		h.Log.WarnContext(ctx, "outcome not recorded, the task is no longer this attempt's", "taskId", in.TaskID, "run", in.Run, "executionId", in.ExecutionID)
		return Output{in.Message, Superseded}, nil
	case err != nil && (failure == nil || failure.Kind != task.PermanentError):
		return Output{}, err
	case err != nil:
		h.Log.WarnContext(ctx, "outcome not recorded, left to the dead letter", "taskId", in.TaskID, "run", in.Run, "executionId", in.ExecutionID, "error", err)
		return Output{}, failure
	case failure != nil:
		return Output{}, failure
	}
	return Output{in.Message, Processed}, nil
}

// check refuses an input that no state machine of ours sends. No retry can mend
// it.
func (in Input) check() error {
	err := in.Message.Check()
	if err == nil && (in.ExecutionID == "" || in.RetryCount < 0) {
		err = errors.New("want an executionId and a retryCount of 0 or more")
	}
	if err != nil {
		return task.Permanent(fmt.Errorf("the input is not an attempt's: %w", err))
	}
	return nil
}

// claim makes the task the invocation's own. The error of a task that is not
// there is of kind NotFound: the state machine dead-letters it, and the monitor
// finds nothing to mark.
func (h *Handler) claim(ctx context.Context, in Input, token string) (task.ClaimOutcome, task.Task, error) {
	lease := task.MaxInvocation
	if deadline, ok := ctx.Deadline(); ok {
		lease = time.Until(deadline)
	}
	outcome, t, err := h.Store.Claim(ctx, task.ClaimRequest{
		Message:     in.Message,
		ExecutionID: in.ExecutionID,
		RetryCount:  in.RetryCount,
		Retry:       in.Retry,
		Token:       token,
		Now:         h.Clock.Now(),
		Lease:       lease + leaseMargin,
	})
	switch {
	case err == nil:
		return outcome, t, nil
	case shutDown(ctx):
		return 0, task.Task{}, task.Errorf(task.Interrupted, "the host shut down while task %s was claimed", in.TaskID)
	}
	return 0, task.Task{}, fmt.Errorf("claim task %s: %w", in.TaskID, err)
}

// finish records the outcome, also when the host shuts down meanwhile. An error
// that is not Fenced is Unrecorded: the worker has run, so the attempt counts. On one
// machine it returns before the outcome is on disk, which it is with what the workflow
// makes of it, or not at all (taskdb.Chain).
func (h *Handler) finish(ctx context.Context, in Input, token string, attempts int, failure *task.Error) error {
	recording, cancel := recordingContext(ctx)
	defer cancel()
	r := task.FinishRequest{ID: in.TaskID, Token: token, Attempts: attempts, Now: h.Clock.Now(), Retry: in.Retry, Retention: h.Retention}
	outcome := "success"
	if failure != nil {
		outcome = failure.Message
		r.Err = &task.Failure{Type: string(failure.Kind), Message: failure.Message}
	}
	err := h.Store.Finish(recording, r)
	if err == nil || task.IsKind(err, task.Fenced) {
		return err
	}
	return task.Errorf(task.Unrecorded, "record the outcome of task %s: %w (it was: %s)", in.TaskID, err, outcome)
}

// recordingContext returns ctx without its cancellation, but with its deadline.
func recordingContext(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(task.MaxInvocation)
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}
