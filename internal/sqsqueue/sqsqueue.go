// Package sqsqueue sends to the task queue and to the dead letter queue, both
// in SQS. A request whose answer is lost is sent again, and its messages arrive
// twice.
package sqsqueue

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"tasks/internal/task"
)

// Queue is a task.Queue.
type Queue struct {
	client *sqs.Client
	url    string
}

var _ task.Queue = (*Queue)(nil)

// NewQueue returns the queue of that URL.
func NewQueue(cfg aws.Config, url string) *Queue { return &Queue{sqs.NewFromConfig(cfg), url} }

// maxEntries is how many messages a request carries (Amazon SQS message quotas).
const maxEntries = 10

// Send implements task.Queue, in requests of up to maxEntries. All are tried,
// whatever becomes of the first.
func (q *Queue) Send(ctx context.Context, messages ...task.Outgoing) error {
	if len(messages) == 1 {
		return send(ctx, q.client, q.url, messages[0].Body(), delay(messages[0]))
	}
	var errs []error
	for batch := range slices.Chunk(messages, maxEntries) {
		errs = append(errs, q.sendBatch(ctx, batch))
	}
	return errors.Join(errs...)
}

func (q *Queue) sendBatch(ctx context.Context, batch []task.Outgoing) error {
	entries := make([]types.SendMessageBatchRequestEntry, len(batch))
	for i, m := range batch {
		entries[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(m.Body()),
			DelaySeconds: delay(m),
		}
	}
	out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries})
	if err != nil {
		return task.Errorf(task.Unavailable, "send %d messages: %w", len(batch), err)
	}
	if n := len(out.Failed); n > 0 {
		return task.Errorf(task.Unavailable, "send: %d of %d messages are refused: %s", n, len(batch), aws.ToString(out.Failed[0].Code))
	}
	return nil
}

// delay returns a message's delay in seconds.
func delay(m task.Outgoing) int32 { return int32(math.Ceil(m.Delay.Seconds())) }

// DeadLetterQueue is a task.DeadLetterQueue.
type DeadLetterQueue struct {
	client *sqs.Client
	url    string
}

var _ task.DeadLetterQueue = (*DeadLetterQueue)(nil)

// NewDeadLetterQueue returns the dead letter queue of that URL.
func NewDeadLetterQueue(cfg aws.Config, url string) *DeadLetterQueue {
	return &DeadLetterQueue{sqs.NewFromConfig(cfg), url}
}

// Send implements task.DeadLetterQueue. Characters that SQS does not carry
// arrive as U+FFFD.
func (q *DeadLetterQueue) Send(ctx context.Context, body string) error {
	return send(ctx, q.client, q.url, strings.Map(carried, body), 0)
}

func send(ctx context.Context, client *sqs.Client, url, body string, delay int32) error {
	_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body, DelaySeconds: delay})
	var invalid *types.InvalidMessageContents
	switch {
	case errors.As(err, &invalid):
		return task.Errorf(task.Invalid, "send a message of %d bytes: %w", len(body), err)
	case err != nil:
		return task.Errorf(task.Unavailable, "send a message: %w", err)
	}
	return nil
}

// carried returns r if SQS carries it, and U+FFFD if not: what XML 1.0 allows
// (SendMessage in the API reference).
func carried(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\r', r >= ' ' && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
		return r
	}
	return '\uFFFD'
}
