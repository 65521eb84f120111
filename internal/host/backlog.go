package host

import (
	"net/http"
	"sync/atomic"

	"tasks/internal/api"
	"tasks/internal/task"
)

// DefaultMaxBacklog is how many tasks may be unfinished at once unless the user
// says otherwise. So many that wait take 120 MB of memory and less than ten
// seconds of a start (BenchmarkBacklog in package taskdb), and hours of most
// workers' time.
const DefaultMaxBacklog = 1_000_000

// backlog bounds the tasks that are accepted and not finished. On AWS, where the
// queue has no end, the stage's throttle bounds the rate of requests instead.
type backlog struct {
	max      int        // 0: no limit
	tasks    func() int // unfinished, as committed
	entering atomic.Int64
}

// enter tells whether a request may add up to n tasks; leave must follow when it has.
// The request counts from here on, so max is not exceeded but by a single batch that is
// larger: what has been committed counts twice until it leaves, which at worst refuses
// another that would just have fitted.
func (b *backlog) enter(n int) bool {
	if entering := b.entering.Add(int64(n)); b.max > 0 && b.tasks()+int(entering) > b.max {
		b.leave(n)
		return false
	}
	return true
}

func (b *backlog) leave(n int) { b.entering.Add(-int64(n)) }

// adds returns how many tasks a request of a route may add, as new ones or as new
// runs, as far as they are counted.
func (b *backlog) adds(route string) int {
	switch route {
	case api.SubmitRoute, api.RedriveRoute:
		return 1
	case api.BatchRoute, api.RedriveAllRoute:
		if b.max > 0 {
			return min(task.MaxBatch, b.max) // or none would ever be taken
		}
		return task.MaxBatch
	}
	return 0
}

// full is the answer to a request that may not add a task.
func (b *backlog) full() *api.Problem {
	return api.Problemf(http.StatusTooManyRequests, "With this request more than %d tasks might be waiting or running, which is the limit. Nothing was accepted. Send the request again in a few seconds.", b.max).With("Retry-After", "5")
}
