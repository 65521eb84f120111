package task

import "time"

// Limits of what a client asks for besides its answer.
const (
	// MaxDelay bounds how long a task waits before its first attempt: the most that
	// SQS delays a message (SendMessage in the API reference).
	MaxDelay = 15 * time.Minute
	// MaxLabels bounds the labels of a task.
	MaxLabels = 10
	// MaxLabelKey and MaxLabelValue bound a label, in bytes.
	MaxLabelKey   = 63
	MaxLabelValue = 128
	// MaxBatch is how many tasks are created, or redriven, together.
	MaxBatch = 100
)

// Submission is a task that a client asks for, as New makes it, delayed and labelled as
// it likes.
type Submission struct {
	Task
	// Key, if there is one, has the task created once for all requests of its name:
	// see Store.Create.
	Key *IdempotencyKey
}

// Created is what became of a Submission.
type Created struct {
	// ID is the task that was created: the submission's own, or that of an earlier
	// one with the same key.
	ID ID
	// Queued tells that nobody has to send the task's message: it is on the queue, or was
	// there. That of an earlier submission may have been lost: sent twice it does no harm.
	Queued bool
	// Err is of kind Conflict if the id is taken, KeyReused if the key was used for
	// another request, and Unavailable if the task may have been created or not.
	Err error
}

// ValidLabelKey tells whether key can be a label's: 1 to MaxLabelKey letters,
// digits, dots, hyphens and underscores, of ASCII.
func ValidLabelKey(key string) bool {
	if key == "" || len(key) > MaxLabelKey {
		return false
	}
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// Delay has the first attempt of a task that is not created yet wait.
func (t *Task) Delay(d time.Duration) {
	if d > 0 {
		t.NextAttemptAt = t.CreatedAt.Plus(d)
		t.NextCheckAt = t.NextAttemptAt.Plus(FirstCheckAfter)
	}
}

// Outgoing returns the message that a task's run begins with, to be sent at a time.
func (t *Task) Outgoing(now Time) Outgoing {
	return Outgoing{Message: t.Message(), Delay: max(0, t.NextAttemptAt.Sub(now.Time))}
}

// Outgoing is a message to be sent.
type Outgoing struct {
	Message
	Delay time.Duration // from now on, at most MaxDelay; 0 for none
}
