// Package monitor is the function behind the dead letter queue: it marks the
// tasks, writes a log record for each message and counts them.
package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"tasks/internal/awslambda"
	"tasks/internal/task"
)

// Handler empties the dead letter queue. A message that comes again marks
// nothing new; its log record is written, and its metric may be counted, again.
type Handler struct {
	Store   task.Store
	Metrics task.Metrics
	// Retention is how long a dead task or a malformed message is kept.
	Retention time.Duration
	Clock     task.Clock
	Log       *slog.Logger
}

// Handle handles a batch. The messages that were not marked or not counted are
// in the response, and come again; the error is always nil.
func (h *Handler) Handle(ctx context.Context, batch events.SQSEvent) (events.SQSEventResponse, error) {
	ctx, cancel := awslambda.Reserve(ctx)
	defer cancel()
	resp := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	fail := func(id string) {
		resp.BatchItemFailures = append(resp.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
	}
	var counted []string
	for _, m := range batch.Records {
		l := letter{SQSMessage: m}
		if err := h.mark(ctx, &l); err != nil {
			h.Log.ErrorContext(ctx, "dead letter not marked, will come again", "messageId", m.MessageId, "error", err)
			fail(m.MessageId)
			continue
		}
		h.Log.LogAttrs(ctx, slog.LevelWarn, "dead letter", l.attrs()...)
		if l.counts() {
			counted = append(counted, m.MessageId)
		}
	}
	if len(counted) == 0 {
		return resp, nil
	}
	if err := h.Metrics.Count(ctx, task.DeadLettered, len(counted)); err != nil {
		h.Log.ErrorContext(ctx, "dead letters not counted, will come again", "count", len(counted), "error", err)
		for _, id := range counted {
			fail(id)
		}
	}
	return resp, nil
}

// mark does to the record what the message says. A message that says nothing is
// kept whole.
func (h *Handler) mark(ctx context.Context, l *letter) error {
	now := h.Clock.Now()
	var err error
	if l.dead, err = task.ParseDeadLetter(l.Body); err != nil {
		l.outcome = task.Malformed
		err := h.Store.Quarantine(ctx, task.Quarantined{
			MessageID: l.MessageId, Body: l.Body, ReceivedAt: now, ExpiresAt: now.Plus(h.Retention),
		})
		if err != nil {
			return fmt.Errorf("quarantine a malformed message: %w", err)
		}
		return nil
	}
	l.outcome, l.record, err = h.Store.MarkDead(ctx, task.MarkRequest{DeadLetter: l.dead, Now: now, Retention: h.Retention})
	if err != nil {
		return fmt.Errorf("mark task %s: %w", l.dead.TaskID, err)
	}
	return nil
}
