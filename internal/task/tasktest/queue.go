package tasktest

import (
	"context"
	"slices"
	"sync"

	"tasks/internal/task"
)

// Queue is a task.Queue in memory.
type Queue struct {
	Faults
	mu       sync.Mutex
	messages []task.Outgoing
}

var _ task.Queue = (*Queue)(nil)

// NewQueue returns an empty Queue.
func NewQueue() *Queue { return &Queue{} }

// Send implements task.Queue.
func (q *Queue) Send(_ context.Context, messages ...task.Outgoing) error {
	return q.do("Send", func() error {
		for _, m := range messages {
			q.add(m)
		}
		return nil
	})
}

// Messages returns what has been sent, oldest first.
func (q *Queue) Messages() []task.Message {
	var all []task.Message
	for _, m := range q.Sent() {
		all = append(all, m.Message)
	}
	return all
}

// Sent is Messages, with their delays.
func (q *Queue) Sent() []task.Outgoing {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.messages)
}

func (q *Queue) add(m task.Outgoing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages = append(q.messages, m)
}

// DeadLetterQueue is a task.DeadLetterQueue in memory.
type DeadLetterQueue struct {
	Faults
	mu     sync.Mutex
	bodies []string
}

var _ task.DeadLetterQueue = (*DeadLetterQueue)(nil)

// NewDeadLetterQueue returns an empty DeadLetterQueue.
func NewDeadLetterQueue() *DeadLetterQueue { return &DeadLetterQueue{} }

// Send implements task.DeadLetterQueue.
func (q *DeadLetterQueue) Send(_ context.Context, body string) error {
	return q.do("Send", func() error {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.bodies = append(q.bodies, body)
		return nil
	})
}

// Bodies returns what has been sent, oldest first.
func (q *DeadLetterQueue) Bodies() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.bodies)
}
