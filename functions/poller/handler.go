// Package poller is the function behind the task queue: it starts one execution
// for each message.
package poller

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/aws/aws-lambda-go/events"

	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// concurrency bounds the executions that are started at once, whatever the
// batch size.
const concurrency = 10

// Handler starts executions. A message that comes again starts nothing new, unless
// executions are EXPRESS: one is named for the task and its run.
type Handler struct {
	Executions      task.Executions
	DeadLetterQueue task.DeadLetterQueue
	Metrics         task.Metrics
	Log             *slog.Logger
}

// Handle starts the executions of a batch. The messages whose execution could
// not be started are in the response, and come again; the error is always nil.
func (h *Handler) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	ctx, cancel := awslambda.Reserve(ctx) // of which startAll leaves some for the metric
	defer cancel()
	errs := h.startAll(ctx, batch.Records)
	resp := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, err := range errs {
		if err == nil {
			continue
		}
		id := batch.Records[i].MessageId
		h.Log.ErrorContext(ctx, "message not handled, will come again", "messageId", id, "error", err)
		resp.BatchItemFailures = append(resp.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	if n := len(resp.BatchItemFailures); n > 0 {
		if err := h.Metrics.Count(ctx, task.FailedStarts, n); err != nil {
			h.Log.WarnContext(ctx, "metric not counted", "metric", task.FailedStarts, "count", n, "error", err)
		}
	}
	return resp, nil
}

// startAll starts the executions of messages and returns the error of each. It
// returns in time for a response: a batch without one fails whole.
func (h *Handler) startAll(ctx context.Context, messages []events.SQSMessage) []error {
	ctx, cancel := awslambda.Reserve(ctx)
	defer cancel()
	errs := make([]error, len(messages))
	slots := make(chan struct{}, concurrency)
	var wg sync.WaitGroup
	for i, m := range messages {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			errs[i] = context.Cause(ctx)
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = h.start(ctx, m.Body)
		})
	}
	wg.Wait()
	return errs
}

// start starts the execution of a message. What is no message goes to the dead
// letter queue as it is.
func (h *Handler) start(ctx context.Context, body string) error {
	m, err := task.ParseMessage(body)
	if err != nil {
		if err := h.DeadLetterQueue.Send(ctx, body); err != nil {
			return fmt.Errorf("dead-letter a malformed message: %w", err)
		}
		return nil
	}
	err = h.Executions.Start(ctx, m)
	if err != nil && !task.IsKind(err, task.Closed) { // reconcile looks after a closed one
		return fmt.Errorf("start execution %s: %w", m.ExecutionName(), err)
	}
	return nil
}
