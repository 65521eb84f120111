package process

import (
	"context"

	"tasks/internal/task"
)

// This file is yours: put your own worker in place of the simulated one. Nothing
// else has to change.

// Worker does the work of a task.
type Worker interface {
	// Work does the work of t, whose Answer is what the client posted, and
	// returns nil when it is done for good.
	//
	// It runs at least once. A task is worked on again after an error, and
	// also after a success that could not be recorded: the machine may die
	// between the two. Make what it does safe to repeat, with t.ID, which stays
	// the same for all attempts, as the idempotency key of whatever it calls.
	// Two attempts of one task rarely overlap, but they can.
	//
	// ctx ends when the attempt's time is up (the function's timeout in
	// template.yaml, less up to two seconds to record the outcome) and when
	// the host shuts down. Pass it on, or look at ctx.Done(). A worker that
	// has not returned by then fails the attempt with "Timeout", and nothing it
	// does later changes the task. On AWS it dies at the function's timeout, on one
	// machine it is left behind.
	//
	// Any error fails the attempt, and it is retried after 2 s and then after
	// 4 s; after that the task goes to the dead letter queue with the error's
	// message. task.Permanent(err), wrapped or not, skips the retries: use it
	// when no retry can help, such as for an answer that makes no sense. A
	// panic fails the attempt like an error, with "Panic"; one in a goroutine
	// of the worker's own kills the process, and the attempt with it.
	//
	// The message of an error is stored, logged and shown by the API, cut at
	// 2 KiB. Keep secrets out of it.
	//
	// t is a copy: nothing that is done to it is kept. Work is called by many
	// goroutines at once.
	Work(ctx context.Context, t task.Task) error
}

// NewWorker returns the worker that the function runs. It is called once when
// the function starts: make clients and open connections here, and read what
// they need in LoadConfig.
func NewWorker(cfg Config) (Worker, error) {
	return simulated{failureRate: cfg.FailureRate}, nil
}
