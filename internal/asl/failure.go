package asl

import "fmt"

// Error names of "Handling errors in Step Functions workflows" and of the
// States Language, Appendix A.
const (
	errAll               = "States.ALL"
	errTaskFailed        = "States.TaskFailed"
	errTimeout           = "States.Timeout"
	errHeartbeatTimeout  = "States.HeartbeatTimeout"
	errRuntime           = "States.Runtime"
	errDataLimitExceeded = "States.DataLimitExceeded"
	errParameterPath     = "States.ParameterPathFailure"
	errResultPathMatch   = "States.ResultPathMatchFailure"
	errIntrinsic         = "States.IntrinsicFailure"
	errNoChoiceMatched   = "States.NoChoiceMatched"
	errBranchFailed      = "States.BranchFailed"
	errExceedTolerated   = "States.ExceedToleratedFailureThreshold"
)

// maxDataSize is the quota "Maximum input or output size for a task, state, or
// execution": 256 KiB of data as a UTF-8 encoded string.
const maxDataSize = 256 * 1024

// maxHistoryEvents is the quota "Maximum execution history size", the event that
// ends the execution included. It also ends a machine that loops without ever
// waiting.
const maxHistoryEvents = 25_000

// failure is an error of a state, a value of the workflow and not a Go error.
type failure struct {
	name, cause string
	// alias is a second name that retriers and catchers may spell. The States
	// Language calls a path in Parameters that leads nowhere
	// States.ParameterPathFailure and a Choice without a match
	// States.NoChoiceMatched; Step Functions reports both as States.Runtime.
	alias string
	// fromTask is true for what a task reported.
	fromTask bool
	// fromBranch is true for what a branch or an iteration failed with.
	fromBranch bool
}

// matches reports whether a retrier or catcher with these names takes f.
//
// States.ALL does not match States.Runtime, nor States.DataLimitExceeded,
// unless it is a task's own result that was too large (recorded on Step
// Functions). States.TaskFailed matches all that a task reports but
// States.Timeout.
func (f *failure) matches(errorEquals []string) bool {
	for _, name := range errorEquals {
		switch name {
		case errAll:
			if f.name != errRuntime && (f.name != errDataLimitExceeded || f.fromTask) {
				return true
			}
		case errTaskFailed:
			if f.fromTask && f.name != errTimeout && f.name != errRuntime {
				return true
			}
		case errTimeout:
			if f.name == errTimeout || f.name == errHeartbeatTimeout {
				return true
			}
		case errBranchFailed:
			if f.fromBranch && f.name != errRuntime {
				return true
			}
		case errRuntime:
			// Never retried, never caught.
		case f.name, f.alias:
			return true
		}
	}
	return false
}

// reported is the name under which the catcher hands f on: the one that it
// matched by.
func (f *failure) reported() string {
	if f.alias != "" && f.name == errRuntime {
		return f.alias
	}
	return f.name
}

// where is how a cause begins that Step Functions words itself.
func (t *thread) where() string {
	return fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). ", t.state.common().name, t.enteredID)
}

func (t *thread) failure(name, format string, args ...any) *failure {
	return &failure{name: name, cause: t.where() + fmt.Sprintf(format, args...)}
}

// evaluationFailure words an error of a template or an expression.
func (t *thread) evaluationFailure(err error) *failure {
	switch err := err.(type) {
	case *intrinsicError:
		return t.failure(errIntrinsic, "%s", err)
	default:
		f := t.failure(errRuntime, "%s", err)
		f.alias = errParameterPath
		return f
	}
}

// pathFailure words a path field (InputPath, OutputPath, ItemsPath, ...) that
// leads nowhere.
func (t *thread) pathFailure(err error) *failure {
	if missing, ok := err.(*pathError); ok {
		return t.failure(errRuntime, "Invalid path '%s' : %s", missing.path.text, missing.reason)
	}
	return t.evaluationFailure(err)
}
