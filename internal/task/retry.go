package task

import (
	"math"
	"time"
)

// ClockSlack is how far the clocks of two invocations may differ.
const ClockSlack = 250 * time.Millisecond

// MaxInvocation is how long an invocation of a function lives at most (Lambda
// quotas, Function timeout).
const MaxInvocation = 15 * time.Minute

// RetryPolicy is how the workflow retries attempts that failed: what its retrier
// says, told to each attempt. The zero policy is not known.
//
// The record needs it because a workflow also asks for an attempt again when its
// invocation failed and the attempt may not have: throttled, or with its answer
// lost. Those retries use up none of the task's own.
type RetryPolicy struct {
	MaxAttempts     int     `json:"maxAttempts"` // retries, besides the first attempt
	IntervalSeconds float64 `json:"intervalSeconds"`
	BackoffRate     float64 `json:"backoffRate"`
	MaxDelaySeconds float64 `json:"maxDelaySeconds"`
}

// Wait returns how long the workflow waits after the n-th attempt failed, n from
// 1 on: min(BackoffRate^(n-1) * IntervalSeconds, MaxDelaySeconds).
func (p RetryPolicy) Wait(n int) time.Duration {
	seconds := min(p.IntervalSeconds*math.Pow(p.BackoffRate, float64(n-1)), p.MaxDelaySeconds)
	return time.Duration(seconds * float64(time.Second))
}

// counted tells whether the workflow can have counted the last attempt as one
// that failed, at that time or later, when it asks for another now: it asks for
// no more than it has, and not before it has waited. A failure that is more
// than an invocation's life ahead says that the clock was set back, and nothing of
// the wait.
func (p RetryPolicy) counted(last *Attempt, failed, now Time) bool {
	if p == (RetryPolicy{}) {
		return true
	}
	waited := now.Sub(failed.Time)
	return last.Number <= p.MaxAttempts && (waited >= p.Wait(last.Number)-ClockSlack || waited < -MaxInvocation)
}
