package task

import (
	"slices"
	"strings"
	"time"
)

// ClaimRequest is an invocation's wish to run an attempt.
type ClaimRequest struct {
	Message
	ExecutionID string
	// RetryCount is the workflow's count of retries of the state, all of its
	// retriers together: it orders the invocations of one execution and counts
	// nothing.
	RetryCount int
	// Retry is how the workflow retries what failed.
	Retry RetryPolicy
	// Token is random and the invocation's own. A request that is sent again
	// carries the same.
	Token string
	Now   Time
	// Lease is how long the invocation can live at most.
	Lease time.Duration
}

// ClaimOutcome is what an invocation has to do after its claim.
type ClaimOutcome int

// The outcomes. Only ClaimRun and ClaimExhausted change the record.
const (
	// ClaimRun: the attempt is open and the caller's; run the worker.
	ClaimRun ClaimOutcome = iota + 1
	// ClaimSkip: somebody else has done, or does, what there is to do; answer
	// success without running the worker.
	ClaimSkip
	// ClaimRecorded: the last attempt has failed, and the workflow did not hear
	// of it; answer with the error in the record.
	ClaimRecorded
	// ClaimExhausted: the attempt was cut off for the last time; it counts
	// now, and the error in the record is the answer.
	ClaimExhausted
)

// Claim applies r to the record. What the workflow asks for, and what the record
// has, together say what that means:
//
//	record           asked for                        because                               outcome
//	another run      any                              the task was redriven                 skip
//	final            any                              it is done                            skip
//	PENDING          any                              the first attempt                     run
//	PROCESSING       its own token                    the request was sent again            run
//	PROCESSING       fewer retries                    an old invocation comes late          skip
//	PROCESSING       another execution, lease holds   EXPRESS was started twice             skip
//	PROCESSING       another execution, lease over    its attempt died                      as with more retries
//	PROCESSING       as many retries                  the host died                         run, not counted, or exhausted
//	PROCESSING       more retries, it has waited      the attempt died and was counted      run, counted
//	PROCESSING       more retries, it has not waited  the invocation failed, not the task   run, not counted, or exhausted
//	FAILED for good  any                              its answer was lost                   recorded
//	FAILED           no more retries                  its answer was lost                   recorded
//	FAILED           more retries, it has not waited  its answer was lost, then a throttle  recorded
//	FAILED           more retries, it has waited      the retry                             run
func (t *Task) Claim(r ClaimRequest) ClaimOutcome {
	if t.Run != r.Run || !t.Status.Open() {
		return ClaimSkip
	}
	last := t.lastAttempt()
	same := t.ExecutionID == r.ExecutionID
	switch t.Status {
	case Processing:
		switch {
		case t.Owner == r.Token:
			return ClaimRun // the request was sent again
		case same && r.RetryCount < last.RetryCount:
			return ClaimSkip
		case !same && t.LeaseUntil.After(r.Now.Time):
			return ClaimSkip
		}
		// The attempt is dead. Its death counts if the workflow has counted it.
		kind, message := LambdaUnknown, "the attempt ended without reporting an outcome"
		counts := r.Retry.counted(last, last.StartedAt, r.Now)
		if same && r.RetryCount == last.RetryCount { // no retry at all since: the host died
			kind, message, counts = Interrupted, "the host stopped or died while the attempt ran", false
		}
		if t.closeDead(r.Now, kind, message, counts) {
			t.Status, t.Owner, t.LeaseUntil = Failed, r.Token, Time{}
			t.awaitRetry(r.Now, r.Retry)
			return ClaimExhausted
		}
	case Failed:
		if last.ErrorType == string(PermanentError) {
			return ClaimRecorded // by no workflow's count
		}
		if same && r.RetryCount <= last.RetryCount || !r.Retry.counted(last, last.FinishedAt, r.Now) {
			return ClaimRecorded
		}
	}
	t.openAttempt(r)
	return ClaimRun
}

// FinishRequest is the outcome of an attempt.
type FinishRequest struct {
	ID    ID
	Token string
	Now   Time
	// Attempts is how many attempts the claimed record has, the caller's the last;
	// 0 if it is not known. It spares a store that has to guess.
	Attempts int
	// Err is nil for a success.
	Err *Failure
	// Retry is how the workflow retries what failed.
	Retry RetryPolicy
	// Retention is how long a task is kept after its success.
	Retention time.Duration
}

// Failure is why an attempt failed.
type Failure struct {
	Type    string
	Message string
}

// Finish applies r to the record and tells whether that changed it. It doesn't
// when the same outcome was recorded before. The error is of kind Fenced when
// the attempt has lost the task to another.
func (t *Task) Finish(r FinishRequest) (changed bool, err error) {
	if t.Owner == "" || t.Owner != r.Token {
		return false, Errorf(Fenced, "the outcome of task %s comes too late: the attempt no longer owns it", t.ID)
	}
	if t.Status != Processing {
		return false, nil
	}
	if r.Err == nil {
		t.closeAttempt(r.Now, "", "", false)
		t.Status = Processed
		t.ErrorType, t.ErrorMessage = "", ""
		t.ExpiresAt = r.Now.Plus(r.Retention)
	} else {
		t.closeAttempt(r.Now, r.Err.Type, r.Err.Message, false)
		t.Status = Failed
		t.awaitRetry(r.Now, r.Retry)
	}
	t.LeaseUntil = Time{}
	return true, nil
}

// MarkRequest is a dead letter that was received.
type MarkRequest struct {
	DeadLetter
	Now       Time
	Retention time.Duration // how long a dead task is kept
}

// MarkOutcome is what became of a dead letter.
type MarkOutcome string

// The outcomes, as the DLQ_MESSAGE log record names them.
const (
	Marked    MarkOutcome = "marked"    // the task is in the DLQ now
	Duplicate MarkOutcome = "duplicate" // it was already
	Stale     MarkOutcome = "stale"     // the task has gone on, or is gone: nothing to mark
	Malformed MarkOutcome = "malformed" // not a dead letter: quarantined
)

// MarkDead applies r to the record: only one of the same run that is not
// final is marked, and by a bare queue message only one that is PENDING.
func (t *Task) MarkDead(r MarkRequest) MarkOutcome {
	switch {
	case t.Run != r.Run || t.Status == Processed:
		return Stale
	case t.Status == DLQ:
		return Duplicate
	case r.Raw() && t.Status != Pending:
		return Stale
	}
	errorType, errorMessage := r.Why()
	died := errorType == string(LambdaUnknown) || errorType == string(SandboxTimedout)
	if t.Status == Processing {
		t.closeAttempt(r.Now, errorType, errorMessage, false)
	} else if died && t.ErrorType == string(WorkerTimeout) && t.NextAttemptAt.IsZero() {
		errorType, errorMessage = t.ErrorType, t.ErrorMessage // of the last attempt, whose worker took the function with it
	}
	t.Status = DLQ
	t.ErrorType, t.ErrorMessage = errorType, errorMessage
	t.Owner, t.LeaseUntil = "", Time{}
	t.NextAttemptAt = Time{}
	t.UpdatedAt = r.Now
	t.ExpiresAt = r.Now.Plus(r.Retention)
	return Marked
}

// Redrive puts a dead task back: a new run, PENDING. The error is of kind
// Conflict when the task is not in the DLQ, or not by that run, unless that is 0 for
// any.
func (t *Task) Redrive(run int, now Time) error {
	if run != 0 && t.Run != run {
		return Errorf(Conflict, "task %s is in run %d: its run %d can't be redriven", t.ID, t.Run, run)
	}
	if t.Status != DLQ {
		return Errorf(Conflict, "task %s is %s: only a task in the DLQ can be redriven", t.ID, t.Status)
	}
	t.newRun(now)
	return nil
}

// Restart gives a task whose run was never claimed a new run. The error is of
// kind Conflict when the task has moved on from the run or from PENDING.
func (t *Task) Restart(run int, now Time) error {
	if t.Run != run || t.Status != Pending {
		return Errorf(Conflict, "task %s is %s in run %d: nothing to restart in run %d", t.ID, t.Status, t.Run, run)
	}
	t.newRun(now)
	return nil
}

// Defer sets the next check of an open task, twice as far away as the last, and
// tells whether it did: it doesn't when the task is final or in another run.
func (t *Task) Defer(run int, now Time) bool {
	if t.Run != run || !t.Status.Open() {
		return false
	}
	wait := MaxCheckAfter
	if t.Checks++; t.Checks < 10 { // beyond, the shift alone is past the limit
		wait = min(FirstCheckAfter<<t.Checks, MaxCheckAfter)
	}
	t.NextCheckAt = now.Plus(wait)
	return true
}

func (t *Task) newRun(now Time) {
	t.Run++
	t.Status = Pending
	t.Retries = 0
	t.ErrorType, t.ErrorMessage = "", ""
	t.ExecutionID, t.Owner, t.LeaseUntil = "", "", Time{}
	t.UpdatedAt = now
	t.ExpiresAt = Time{}
	t.NextAttemptAt = Time{}
	t.NextCheckAt, t.Checks = now.Plus(FirstCheckAfter), 0
}

// lastAttempt returns the last attempt of this run, or nil.
func (t *Task) lastAttempt() *Attempt {
	if n := len(t.Attempts); n > 0 && t.Attempts[n-1].Run == t.Run {
		return &t.Attempts[n-1]
	}
	return nil
}

// openAttempt begins an attempt. Package dynamotable's guessClaim sets the same.
func (t *Task) openAttempt(r ClaimRequest) {
	number := 1
	if last := t.lastAttempt(); last != nil {
		number = last.Number
		if !last.NotCounted {
			number++
		}
	}
	t.Status = Processing
	t.Retries = number - 1
	t.ErrorType, t.ErrorMessage = "", ""
	t.ExecutionID, t.Owner, t.LeaseUntil = r.ExecutionID, r.Token, r.Now.Plus(r.Lease)
	t.NextAttemptAt = Time{}
	t.UpdatedAt = r.Now
	// A copy, so that a Task that was handed out before does not change.
	kept := t.Attempts[max(0, len(t.Attempts)-MaxAttempts+1):]
	t.Attempts = append(kept[:len(kept):len(kept)], Attempt{Number: number, Run: t.Run, StartedAt: r.Now, RetryCount: r.RetryCount})
}

// closeAttempt ends the last attempt. Package dynamotable's guessFinish sets the same.
func (t *Task) closeAttempt(now Time, errorType, errorMessage string, notCounted bool) {
	errorType = Cut(strings.ToValidUTF8(errorType, "\uFFFD"), MaxErrorTypeBytes)
	errorMessage = Cut(strings.ToValidUTF8(errorMessage, "\uFFFD"), MaxErrorBytes)
	t.ErrorType, t.ErrorMessage = errorType, errorMessage
	t.UpdatedAt = now
	t.Attempts = append([]Attempt(nil), t.Attempts...)
	a := &t.Attempts[len(t.Attempts)-1]
	a.FinishedAt, a.ErrorType, a.ErrorMessage, a.NotCounted = now, errorType, errorMessage, notCounted
}

// awaitRetry notes when the attempt after the last, which has failed now, is due, if there
// is to be one.
func (t *Task) awaitRetry(now Time, p RetryPolicy) {
	if last := t.lastAttempt(); last.Number <= p.MaxAttempts && last.ErrorType != string(PermanentError) {
		t.NextAttemptAt = now.Plus(p.Wait(last.Number))
	}
}

// closeDead closes the open attempt, which nobody will, and tells whether that
// was for the last time: cut off for the MaxInterruptions-th time, an attempt
// that did not count does.
func (t *Task) closeDead(now Time, kind Kind, message string, counts bool) (last bool) {
	if !counts {
		open := t.lastAttempt()
		interruptions := 1
		for _, a := range t.Attempts {
			if a.Run == open.Run && a.Number == open.Number && a.NotCounted {
				interruptions++
			}
		}
		last = interruptions >= MaxInterruptions
	}
	t.closeAttempt(now, string(kind), message, !counts && !last)
	return last
}

// WasInterrupted tells whether an attempt of this run was cut off by its host's end.
func (t *Task) WasInterrupted() bool {
	return slices.ContainsFunc(t.Attempts, func(a Attempt) bool { return a.Run == t.Run && a.ErrorType == string(Interrupted) })
}
