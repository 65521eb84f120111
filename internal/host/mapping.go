package host

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"tasks/internal/samtemplate"
	"tasks/internal/taskdb"
)

// sqsHandler is a function behind a queue.
type sqsHandler func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// spareAfter is when a message comes again that failed while the file could not be used.
const spareAfter = 5 * time.Second

// mapping is an event source mapping: it feeds the messages of a queue to a
// function, batch by batch. The batching window is 0 here: a batch is what waits.
type mapping struct {
	source      samtemplate.Mapping
	queue       samtemplate.Queue
	function    function
	handle      sqsHandler
	log         *slog.Logger
	outage      *outage
	invocations context.Context // the context of invocations, which outlives the intake's
	goroutines  *goroutines
}

// feedTasks feeds the task queue to the poller until intake is done. Batches wait
// until another attempt could run, so that the queue holds what is too much.
func (m *mapping) feedTasks(intake context.Context, q *taskdb.Queue, room func(context.Context) error) {
	for intake.Err() == nil && room(intake) == nil {
		var batch []taskdb.Received
		for _, r := range q.Receive(intake, m.source.BatchSize) {
			if m.queue.MaxReceiveCount > 0 && r.Receives > m.queue.MaxReceiveCount {
				m.report("message not moved to the dead letter queue", r, q.MoveToDeadLetters(m.invocations, r))
				continue
			}
			batch = append(batch, r)
		}
		if len(batch) == 0 {
			continue
		}
		began := time.Now()
		failed := m.invoke(batch)
		for _, r := range batch {
			switch {
			case !failed(r):
				m.report("message not deleted", r, q.Delete(m.invocations, r))
			case m.outage.failedSince(began): // the fault is the file's, not the message's
				r.Receives--
				m.report("message not given back", r, q.GiveBack(m.invocations, r, time.Now().Add(spareAfter)))
			default:
				m.report("message not given back", r, q.GiveBack(m.invocations, r, time.Now().Add(m.queue.VisibilityTimeout)))
			}
		}
	}
}

// feedDeadLetters feeds the dead letter queue to the monitor until intake is done.
func (m *mapping) feedDeadLetters(intake context.Context, q *taskdb.DeadLetterQueue) {
	for intake.Err() == nil {
		batch, err := q.Receive(intake, m.source.BatchSize, m.queue.VisibilityTimeout)
		if err != nil {
			m.log.Error("dead letters not received, will be tried again", "error", err)
			select {
			case <-time.After(time.Second):
			case <-intake.Done():
			}
			continue
		}
		if len(batch) == 0 {
			continue
		}
		failed := m.invoke(batch)
		handled := batch[:0]
		for _, r := range batch {
			if !failed(r) {
				handled = append(handled, r)
			}
		}
		if err := q.Delete(m.invocations, handled...); err != nil {
			m.log.Error("dead letters not deleted, will come again", "error", err)
		}
	}
}

func (m *mapping) report(message string, r taskdb.Received, err error) {
	if err != nil {
		m.log.Error(message, "messageId", r.MessageID, "error", err)
	}
}

// invoke invokes the function with a batch and tells which messages failed: all
// of them if the invocation did.
func (m *mapping) invoke(batch []taskdb.Received) (failed func(taskdb.Received) bool) {
	event := events.SQSEvent{Records: make([]events.SQSMessage, len(batch))}
	for i, r := range batch {
		sentAt := strconv.FormatInt(r.SentAt.Milli(), 10)
		event.Records[i] = events.SQSMessage{
			MessageId:     r.MessageID,
			ReceiptHandle: r.MessageID,
			Body:          r.Body,
			Attributes: map[string]string{
				"ApproximateReceiveCount":          strconv.Itoa(r.Receives),
				"ApproximateFirstReceiveTimestamp": sentAt,
				"SentTimestamp":                    sentAt,
			},
			EventSource:    "aws:sqs",
			EventSourceARN: "arn:aws:sqs:local:000000000000:" + m.source.Queue,
			AWSRegion:      "local",
		}
	}
	resp, failure := invoke(m.invocations, m.goroutines, m.log, m.function, m.handle, event)
	if failure != nil {
		m.log.Error("batch failed", "function", m.function.name, "errorType", failure.Type, "errorMessage", failure.Message)
		return func(taskdb.Received) bool { return true }
	}
	failures := map[string]bool{}
	for _, f := range resp.BatchItemFailures {
		failures[f.ItemIdentifier] = true
	}
	return func(r taskdb.Received) bool { return failures[r.MessageID] }
}
