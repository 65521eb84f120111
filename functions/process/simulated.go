package process

import (
	"context"
	"errors"
	"math/rand/v2"

	"tasks/internal/task"
)

// simulated does nothing, and fails at random.
type simulated struct {
	failureRate float64 // 0 to 1
}

func (w simulated) Work(context.Context, task.Task) error {
	if rand.Float64() < w.failureRate {
		return errors.New("simulated failure")
	}
	return nil
}
