package reconcile

import (
	"time"

	"tasks/internal/task"
)

// action is what an open task needs.
type action string

// The actions.
const (
	leave      action = "leave"      // nothing yet: look again later
	send       action = "send"       // its queue message, once more
	restart    action = "restart"    // a new run
	deadLetter action = "deadLetter" // a dead letter that says why
)

// untold is the status of an execution that is not there or can't be asked.
const untold task.ExecutionStatus = ""

// maxUntold is how long after the record's last change an untold execution may
// still run: an EXPRESS one, which can't be asked, ends at five minutes, and
// one that has only just been started is not always found.
const maxUntold = 5 * time.Minute

// maxRestarts is how many new runs a task gets in a row, each of which ends without an
// attempt: if the workflow can't come to one, another run doesn't either.
const maxRestarts = 3

// maxSends is how often the message of a task is sent again that no execution is known
// of: the checks of two weeks. An EXPRESS workflow that can't come to an attempt leaves
// no other trace.
const maxSends = 30

// decide returns what the open task t needs, now that its execution has the
// status exec.
//
//	record              execution  lease    action
//	PENDING             untold     -        send, after maxSends checks deadLetter
//	PENDING             running    -        leave
//	PENDING             closed     -        restart, after maxRestarts deadLetter
//	PROCESSING, FAILED  running    -        leave
//	PROCESSING, FAILED  any other  holds    leave
//	PROCESSING, FAILED  closed     expired  deadLetter
//	PROCESSING, FAILED  untold     expired  deadLetter, but not within maxUntold
//
// The execution of a PENDING task that is closed never claimed it, so a new run
// repeats nothing. A claimed task may have been worked on, so it is for a user
// to redrive. A FAILED one has no lease.
func decide(t task.Task, exec task.ExecutionStatus, now time.Time) action {
	switch {
	case exec == task.ExecutionRunning:
		return leave
	case t.Status == task.Pending && exec == untold && t.Checks < maxSends:
		return send
	case t.Status == task.Pending && exec != untold && t.Run-claimedRun(t) <= maxRestarts:
		return restart
	case t.LeaseUntil.After(now):
		return leave
	case exec == untold && now.Before(t.UpdatedAt.Add(maxUntold)):
		return leave
	}
	return deadLetter
}

// claimedRun returns the last run of a task that had an attempt, 0 if none had.
func claimedRun(t task.Task) int {
	if n := len(t.Attempts); n > 0 {
		return t.Attempts[n-1].Run
	}
	return 0
}
