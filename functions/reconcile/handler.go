// Package reconcile is the function behind the schedule: it finds open tasks
// that nothing drives any more and sets them going again, or dead-letters them.
package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"tasks/internal/awslambda"
	"tasks/internal/task"
)

const (
	// maxTasks is after how many tasks no further round begins; the next
	// invocation goes on.
	maxTasks = 1000
	// roundTasks is how many due tasks are read at a time.
	roundTasks = 100
	// concurrency bounds the tasks that are looked at at once.
	concurrency = 10
)

// Input is the schedule's event. Nothing in it matters.
type Input struct{}

// Output tells what was done; it is for the eye.
type Output struct {
	Looked int `json:"looked"` // tasks that were due
	Acted  int `json:"acted"`  // sent, restarted or dead-lettered
	Failed int `json:"failed"` // left for the next time by an error
}

// Handler looks after open tasks that are due for a check. It may run twice at
// once: sends are harmless twice, and the record admits one restart of a run.
type Handler struct {
	Store           task.Store
	Queue           task.Queue
	DeadLetterQueue task.DeadLetterQueue
	Executions      task.Executions
	Metrics         task.Metrics
	Log             *slog.Logger
	Clock           task.Clock
}

// Handle looks after the tasks that are due until none is left, maxTasks have
// been looked at, or its time is up. An error on one task is logged, and the task
// stays due; the error returned is Due's.
func (h *Handler) Handle(ctx context.Context, _ Input) (Output, error) {
	out, err := h.reconcile(ctx)
	if out.Acted > 0 {
		ctx, cancel := awslambda.Reserve(ctx)
		defer cancel()
		if err := h.Metrics.Count(ctx, task.Reconciled, out.Acted); err != nil {
			h.Log.WarnContext(ctx, "metric not counted", "metric", task.Reconciled, "count", out.Acted, "error", err)
		}
	}
	if err != nil {
		return out, fmt.Errorf("read the tasks that are due: %w", err)
	}
	return out, nil
}

// reconcile works in rounds. A task that was looked at may be among the due ones
// again: it failed, or the store shows an older state.
func (h *Handler) reconcile(ctx context.Context) (Output, error) {
	ctx, cancel := awslambda.Reserve(ctx)
	defer cancel()
	var out Output
	looked := map[task.ID]bool{}
	for len(looked) < maxTasks && ctx.Err() == nil {
		// Tasks that failed stay in front of the others.
		due, err := h.Store.Due(ctx, h.Clock.Now(), roundTasks+out.Failed)
		if err != nil {
			return out, err
		}
		var round []task.Task
		for _, t := range due {
			if !looked[t.ID] {
				looked[t.ID] = true
				round = append(round, t)
			}
		}
		if len(round) == 0 {
			break
		}
		h.lookAfterAll(ctx, round, &out)
	}
	return out, nil
}

// lookAfterAll looks after the tasks of a round, several at once, and adds what
// was done to out.
func (h *Handler) lookAfterAll(ctx context.Context, round []task.Task, out *Output) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, concurrency)
	for _, t := range round {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			wg.Wait()
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			done, err := h.lookAfter(ctx, t)
			if err != nil {
				h.Log.ErrorContext(ctx, "task not looked after", "taskId", t.ID, "run", t.Run, "status", t.Status, "error", err)
			}
			mu.Lock()
			defer mu.Unlock()
			out.Looked++
			if done != leave {
				out.Acted++
			}
			if err != nil {
				out.Failed++
			}
		})
	}
	wg.Wait()
}
