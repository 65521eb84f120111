package reconcile

import (
	"testing"
	"time"

	"tasks/internal/task"
)

// Runs in a row that end without an attempt are counted from the last one with an
// attempt.
func TestDecideRestartsOnlySoOften(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		run, claimed int // claimed: 0 for none
		want         action
	}{
		{1, 0, restart}, {maxRestarts, 0, restart}, {maxRestarts + 1, 0, deadLetter},
		{maxRestarts + 1, 1, restart}, {maxRestarts + 5, 5, restart}, {maxRestarts + 6, 5, deadLetter},
	} {
		left := task.Task{Status: task.Pending, Run: row.run}
		if row.claimed > 0 {
			left.Attempts = []task.Attempt{{Number: 1, Run: row.claimed}}
		}
		if got := decide(left, task.ExecutionFailed, time.Now()); got != row.want {
			t.Errorf("run %d, of which the last with an attempt was %d: got %s, want %s", row.run, row.claimed, got, row.want)
		}
	}
}

func TestDecideSendsOnlySoOften(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for checks, want := range map[int]action{0: send, maxSends - 1: send, maxSends: deadLetter} {
		left := task.Task{Status: task.Pending, Run: 1, Checks: checks, UpdatedAt: task.At(now.Add(-time.Hour))}
		if got := decide(left, untold, now); got != want {
			t.Errorf("after %d checks: got %s, want %s", checks, got, want)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	now := task.AtMilli(1_733_459_610_000)
	long, recently := now.Plus(-time.Hour), now.Plus(-maxUntold+time.Millisecond)
	expired, holds := now, now.Plus(time.Millisecond)
	closed := []task.ExecutionStatus{task.ExecutionSucceeded, task.ExecutionFailed, task.ExecutionTimedOut, task.ExecutionAborted}
	tests := []struct {
		name    string
		status  task.Status
		exec    []task.ExecutionStatus
		lease   task.Time
		updated task.Time
		want    action
	}{
		{"sends the message of a task that was not started", task.Pending, []task.ExecutionStatus{untold}, task.Time{}, long, send},
		{"leaves a task that was started", task.Pending, []task.ExecutionStatus{task.ExecutionRunning}, task.Time{}, long, leave},
		{"restarts a task whose execution never claimed it", task.Pending, closed, task.Time{}, long, restart},
		{"leaves an attempt to its execution", task.Processing, []task.ExecutionStatus{task.ExecutionRunning}, expired, long, leave},
		{"leaves an attempt that may live", task.Processing, closed, holds, long, leave},
		{"dead-letters a dead attempt of a closed execution", task.Processing, closed, expired, recently, deadLetter},
		{"leaves an attempt that may live without a known execution", task.Processing, []task.ExecutionStatus{untold}, holds, long, leave},
		{"dead-letters a dead attempt without a known execution", task.Processing, []task.ExecutionStatus{untold}, expired, long, deadLetter},
		{"leaves a dead attempt whose execution may go on untold", task.Processing, []task.ExecutionStatus{untold}, expired, recently, leave},
		{"leaves the retry to its execution", task.Failed, []task.ExecutionStatus{task.ExecutionRunning}, task.Time{}, long, leave},
		{"dead-letters a failed task of a closed execution", task.Failed, closed, task.Time{}, recently, deadLetter},
		{"dead-letters a failed task without a known execution", task.Failed, []task.ExecutionStatus{untold}, task.Time{}, long, deadLetter},
		{"leaves a failed task whose execution may go on untold", task.Failed, []task.ExecutionStatus{untold}, task.Time{}, recently, leave},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, exec := range tt.exec {
				rec := task.Task{Status: tt.status, LeaseUntil: tt.lease, UpdatedAt: tt.updated}
				if got := decide(rec, exec, now.Time); got != tt.want {
					t.Errorf("execution %q: got %s, want %s", exec, got, tt.want)
				}
			}
		})
	}
}
