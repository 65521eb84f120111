package task

import (
	"errors"
	"fmt"
)

// Kind tells errors apart. The kinds of a failed attempt travel as Lambda's
// errorType, and the state machine's ErrorEquals match some of them, spelled
// as here.
type Kind string

// Kinds of a failed attempt.
const (
	// WorkerError is any error of the worker that says nothing else.
	WorkerError Kind = "WorkerError"
	// PermanentError is an error that no retry can mend: the task goes to the
	// DLQ at once. See Permanent.
	PermanentError Kind = "Permanent"
	// WorkerPanic is a panic of the worker.
	WorkerPanic Kind = "Panic"
	// WorkerTimeout is a worker that had not returned when its time was up.
	WorkerTimeout Kind = "Timeout"
	// Unavailable is a store, queue or service that did not do what it was
	// asked, now; nothing may have happened, or all of it. It uses up no
	// retry.
	Unavailable Kind = "Unavailable"
	// Unrecorded is an attempt whose outcome could not be recorded. It counts.
	Unrecorded Kind = "Unrecorded"
	// Interrupted is an attempt that was cut off by the death of its host.
	Interrupted Kind = "Interrupted"
	// LambdaUnknown is an attempt that died without a word. The name is Step
	// Functions' own for a function that exits or runs out of memory.
	LambdaUnknown Kind = "Lambda.Unknown"
	// SandboxTimedout is the same of a function that ran out of its time.
	SandboxTimedout Kind = "Sandbox.Timedout"
)

// Kinds of death that are not an attempt's.
const (
	// NotStarted is a task whose message was received maxReceiveCount times
	// without an execution being started.
	NotStarted Kind = "NotStarted"
	// Abandoned is a claimed task whose execution ended without a final status
	// in the record.
	Abandoned Kind = "Abandoned"
)

// Kinds of a refused request.
const (
	Invalid  Kind = "Invalid"  // the request makes no sense
	NotFound Kind = "NotFound" // there is no such task or execution
	Conflict Kind = "Conflict" // the record is not in the state that the request needs
	// KeyReused is an idempotency key that was used for another request.
	KeyReused Kind = "KeyReused"
	Fenced    Kind = "Fenced" // the attempt is no longer the task's owner
	Closed    Kind = "Closed" // an execution of that name has already ended
	// Damaged is a record that makes no sense: no request can mend it.
	Damaged Kind = "Damaged"
	// Unsupported is something that this kind of workflow can't tell (EXPRESS
	// executions can't be described).
	Unsupported Kind = "Unsupported"
)

// Error is the error of the domain.
type Error struct {
	Kind    Kind
	Message string
	Cause   error // may be nil
}

// Errorf returns an *Error. As with fmt.Errorf, %w sets the cause.
func Errorf(kind Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: kind, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Permanent marks err as one that no retry can mend. A worker that returns it,
// wrapped or not, sends its task to the DLQ at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: PermanentError, Message: err.Error(), Cause: err}
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of the first *Error in err's tree, and "" if there is
// none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) && e != nil {
		return e.Kind
	}
	return ""
}

// IsKind tells whether the first *Error in err's tree is of the kind.
func IsKind(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }
