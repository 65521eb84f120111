package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"tasks/internal/samtemplate"
	"tasks/internal/task"
)

// queue is an SQS queue with the event source mapping that reads it.
type queue struct {
	cloud    *Cloud
	name     string
	settings samtemplate.Queue
	batch    int
	dead     *queue // of the redrive policy, or nil
	function string
	handle   func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)
	messages []*message
	sent     int
}

type message struct {
	id        string
	body      string
	sentAt    time.Time
	visibleAt time.Time
	receives  int
}

// add puts a message on the queue, to be received after a delay: late, twice, or not
// at all.
func (q *queue) add(body string, sentAt time.Time, delay time.Duration) {
	w := q.cloud.world
	q.sent++
	id := q.name + strconv.Itoa(q.sent)
	// SQS loses none, they say. One that names no task could not be sent again.
	if w.Fault("a message is lost", 0.2) && strings.HasPrefix(body, "{") {
		w.Record("%s is lost", id)
		return
	}
	copies := 1
	if w.Fault("a message is delivered twice", 1) {
		copies = 2
	}
	for range copies {
		visible := delay + q.cloud.hop()
		if w.Fault("a message is late", 1) {
			visible = delay + w.Between(time.Second, 20*time.Minute)
		}
		m := &message{id: id, body: body, sentAt: sentAt, visibleAt: time.Now().Add(visible)}
		q.messages = append(q.messages, m)
		q.pollAt(m)
	}
}

// pollAt has the mapping look when a message becomes visible, or a bit later.
func (q *queue) pollAt(m *message) {
	q.cloud.world.After(time.Until(m.visibleAt)+q.cloud.hop(), q.poll)
}

// poll has the mapping receive a batch and invoke the function with it.
func (q *queue) poll() {
	w, now := q.cloud.world, time.Now()
	var visible []*message
	for _, m := range q.messages {
		if !m.visibleAt.After(now) {
			visible = append(visible, m)
		}
	}
	for i := range visible { // in no order
		j := i + w.Intn(len(visible)-i)
		visible[i], visible[j] = visible[j], visible[i]
	}
	var batch []*message
	for _, m := range visible[:min(len(visible), q.batch)] {
		m.receives++
		if q.settings.MaxReceiveCount > 0 && m.receives > q.settings.MaxReceiveCount {
			w.Record("%s is moved by the redrive policy", m.id)
			q.remove(m)
			q.dead.add(m.body, m.sentAt, 0)
			continue
		}
		m.visibleAt = now.Add(q.settings.VisibilityTimeout)
		q.pollAt(m)
		batch = append(batch, m)
	}
	if len(visible) > q.batch {
		w.After(q.cloud.hop(), q.poll)
	}
	if len(batch) == 0 {
		return
	}
	if w.Fault("a batch is received and not delivered", 0.5) {
		w.Record("a batch of %s is not delivered", q.name)
		return
	}
	event := events.SQSEvent{}
	for _, m := range batch {
		event.Records = append(event.Records, events.SQSMessage{
			MessageId: m.id, ReceiptHandle: m.id, Body: m.body, EventSource: "aws:sqs",
			Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(m.receives),
				"SentTimestamp":           strconv.FormatInt(m.sentAt.UnixMilli(), 10),
			},
		})
	}
	invoke(q.cloud, q.function, func(ctx context.Context) (events.SQSEventResponse, error) { return q.handle(ctx, event) },
		func(resp events.SQSEventResponse, f *failure) {
			if f != nil {
				return // the whole batch comes again
			}
			for _, m := range batch {
				failed := slices.ContainsFunc(resp.BatchItemFailures, func(f events.SQSBatchItemFailure) bool { return f.ItemIdentifier == m.id })
				if !failed && !w.Fault("an acknowledgement is lost", 0.5) {
					q.remove(m)
				}
			}
		})
}

func (q *queue) remove(m *message) {
	q.messages = slices.DeleteFunc(q.messages, func(other *message) bool { return other == m })
}

// taskQueue and deadLetterQueue are the queues as the functions use them.
type taskQueue struct{ *queue }

// Send implements task.Queue. Each message is a call of its own: of those that are
// sent together, too, SQS may refuse some.
func (q taskQueue) Send(ctx context.Context, messages ...task.Outgoing) error {
	var errs []error
	for _, m := range messages {
		errs = append(errs, do(ctx, q.cloud, fmt.Sprintf("send %s run %d", q.cloud.checker.Name(m.TaskID), m.Run), func() error {
			q.add(m.Body(), time.Now(), m.Delay)
			return nil
		}))
	}
	return errors.Join(errs...)
}

type deadLetterQueue struct{ *queue }

// Send implements task.DeadLetterQueue.
func (q deadLetterQueue) Send(ctx context.Context, body string) error {
	return do(ctx, q.cloud, "send a dead letter", func() error {
		q.add(body, time.Now(), 0)
		return nil
	})
}
