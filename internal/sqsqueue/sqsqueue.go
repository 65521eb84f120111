// Package sqsqueue sends to the task queue and to the dead letter queue, both
// in SQS.
package sqsqueue

import (
	"context"
	"errors"
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

// Send implements task.Queue.
func (q *Queue) Send(ctx context.Context, m task.Message) error {
	return send(ctx, q.client, q.url, m.Body())
}

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
	return send(ctx, q.client, q.url, strings.Map(carried, body))
}

// send sends a body. A request whose answer is lost is sent again, and the
// message arrives twice.
func send(ctx context.Context, client *sqs.Client, url, body string) error {
	_, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &url, MessageBody: &body})
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
