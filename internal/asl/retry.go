package asl

import (
	"math"
	"time"
)

// handle decides what becomes of a state that failed: the first retrier that
// matches tries again while it has attempts left, then the first catcher that
// matches takes over, otherwise the failure goes up (States Language, "Retrying
// after error" and "Fallback states").
func (x *Execution) handle(t *thread, f *failure) {
	b := t.state.common()
	if delay, ok := x.retryDelay(t, b.retry, f); ok {
		x.setTimer(t, x.now.Add(delay))
		t.phase = phaseWaiting
		t.children = nil
		return
	}
	switch t.state.(type) {
	case *mapState:
		x.record(t, "MapStateFailed", noDetail)
	case *parallelState:
		x.record(t, "ParallelStateFailed", noDetail)
	}
	for i := range b.catch {
		if c := &b.catch[i]; f.matches(c.errorEquals) {
			x.caught(t, c, f)
			return
		}
	}
	x.fail(t, f)
}

// retryDelay finds the retrier for f and counts the retry.
func (x *Execution) retryDelay(t *thread, retry []Retrier, f *failure) (time.Duration, bool) {
	for i := range retry {
		r := &retry[i]
		if !f.matches(r.ErrorEquals) {
			continue
		}
		if t.attempts == nil {
			t.attempts = make([]int, len(retry))
		}
		if t.attempts[i] >= r.MaxAttempts {
			return 0, false
		}
		delay := r.delay(t.attempts[i])
		t.attempts[i]++
		if r.FullJitter && delay > 0 {
			delay = time.Duration(x.random() % uint64(delay+1))
		}
		return delay, true
	}
	return 0, false
}

// delay is how long the retrier waits after n retries, without jitter:
// IntervalSeconds * BackoffRate^n, at most MaxDelaySeconds.
func (r *Retrier) delay(n int) time.Duration {
	limit := float64(r.MaxDelay)
	if r.MaxDelay == 0 {
		limit = float64(maxSeconds) * float64(time.Second)
	}
	d := float64(r.Interval) * math.Pow(r.BackoffRate, float64(n))
	return time.Duration(math.Min(d, limit))
}

// caught hands {"Error","Cause"} to the catcher's state. OutputPath isn't
// applied (recorded on Step Functions).
func (x *Execution) caught(t *thread, c *catcher, f *failure) {
	result := newObject(member{"Error", f.reported()}, member{"Cause", f.cause})
	assigned, fail := x.assigned(t, c.assign, result)
	if fail == nil {
		var output any
		if output, fail = t.merged(c.resultPath, result); fail == nil {
			fail = t.checkSize(output)
		}
		if fail == nil {
			x.exit(t, output, assigned, c.next)
			return
		}
	}
	x.fail(t, fail)
}
