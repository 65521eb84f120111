package tasktest

import (
	"context"
	"sync"

	"tasks/internal/task"
)

// Metrics are task.Metrics in memory.
type Metrics struct {
	Faults
	mu    sync.Mutex
	total map[task.Metric]int
}

var _ task.Metrics = (*Metrics)(nil)

// NewMetrics returns Metrics that are all 0.
func NewMetrics() *Metrics { return &Metrics{total: map[task.Metric]int{}} }

// Count implements task.Metrics.
func (c *Metrics) Count(_ context.Context, m task.Metric, n int) error {
	return c.do("Count", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.total[m] += n
		return nil
	})
}

// Total returns the sum of what has been counted.
func (c *Metrics) Total(m task.Metric) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total[m]
}
