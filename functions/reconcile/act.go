package reconcile

import (
	"cmp"
	"context"
	"fmt"

	"tasks/internal/task"
)

// lookAfter does what t needs, puts off its next check, and returns what it
// did. After an error that may be something all the same.
func (h *Handler) lookAfter(ctx context.Context, t task.Task) (action, error) {
	exec, err := h.execution(ctx, t.Message())
	if err != nil {
		return leave, err
	}
	todo := decide(t, exec.Status, h.Clock.Now().Time)
	switch todo {
	case send:
		if err := h.Queue.Send(ctx, t.Outgoing(h.Clock.Now())); err != nil {
			return leave, fmt.Errorf("send the message again: %w", err)
		}
	case restart:
		h.Log.WarnContext(ctx, "the execution ended without an attempt, the task gets a new run", "taskId", t.ID, "run", t.Run, "execution", exec.Status, "error", exec.Error, "cause", exec.Cause)
		return h.restart(ctx, t)
	case deadLetter:
		if err := h.DeadLetterQueue.Send(ctx, letterOf(t, exec).Body()); err != nil {
			return leave, fmt.Errorf("dead-letter: %w", err)
		}
	}
	if err := h.Store.Defer(ctx, t.Message(), h.Clock.Now()); err != nil {
		return todo, fmt.Errorf("put off the next check: %w", err)
	}
	return todo, nil
}

// execution returns how the execution of m stands, untold if that can't be
// known.
func (h *Handler) execution(ctx context.Context, m task.Message) (task.ExecutionOutcome, error) {
	exec, err := h.Executions.Status(ctx, m)
	switch {
	case task.IsKind(err, task.NotFound), task.IsKind(err, task.Unsupported):
		return task.ExecutionOutcome{Status: untold}, nil
	case err != nil:
		return task.ExecutionOutcome{}, fmt.Errorf("ask for execution %s: %w", m.ExecutionName(), err)
	}
	return exec, nil
}

// restart gives t a new run, and the queue its message. The new run has a check
// of its own, which mends a message that could not be sent.
func (h *Handler) restart(ctx context.Context, t task.Task) (action, error) {
	t, queued, err := h.Store.Restart(ctx, t.Message(), h.Clock.Now())
	if task.IsKind(err, task.Conflict) {
		return leave, nil // it has gone on meanwhile
	}
	if err != nil {
		return leave, fmt.Errorf("restart: %w", err)
	}
	if !queued {
		if err := h.Queue.Send(ctx, t.Outgoing(h.Clock.Now())); err != nil {
			return restart, fmt.Errorf("send the message of the new run: %w", err)
		}
	}
	return restart, nil
}

// letterOf returns the dead letter of a task that its execution has left behind.
func letterOf(t task.Task, exec task.ExecutionOutcome) task.DeadLetter {
	left := string(t.Status)
	if t.ErrorType != "" {
		left += fmt.Sprintf(" (%s: %s)", t.ErrorType, t.ErrorMessage)
	}
	cause := fmt.Sprintf("the task was left %s: its execution is not there any more, or can't be asked", left)
	if exec.Status != untold {
		cause = fmt.Sprintf("the task was left %s when its execution ended %s", left, exec.Status)
	}
	if exec.Error != "" {
		cause += " with " + exec.Error
	}
	if exec.Cause != "" {
		cause += ": " + exec.Cause
	}
	return task.DeadLetter{
		Message:     t.Message(),
		Error:       cmp.Or(exec.Error, string(task.Abandoned)),
		Cause:       cause,
		ExecutionID: t.ExecutionID,
	}
}
