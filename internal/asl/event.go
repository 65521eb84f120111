package asl

import (
	"encoding/json"
	"time"
)

// EventKind says what happened.
type EventKind string

// The kinds are short because a host journals every event.
const (
	Start                 EventKind = "start"
	TaskSucceeded         EventKind = "ok"        // Output or Answer
	TaskFailed            EventKind = "fail"      // Error, Cause
	TaskTimedOut          EventKind = "timeout"   // States.Timeout; Cause if there is one
	TaskHeartbeatTimedOut EventKind = "heartbeat" // States.HeartbeatTimeout
	TimerFired            EventKind = "timer"
	Abort                 EventKind = "abort" // Error, Cause: what StopExecution was given
)

// Event is one input of Step. Everything that isn't determined by the machine
// (time, identifiers, randomness, results) comes in through events, so that the
// events of an execution, replayed in order, give its state and its history
// again. Its JSON is compact and stable: hosts keep it.
type Event struct {
	Kind EventKind `json:"k"`
	// Time is when it happened, as the host's clock says. Start's is the
	// execution's start time. Times must not run backwards.
	Time time.Time `json:"t"`
	// Ref is the command that the event answers, 0 for Start and Abort.
	Ref    int64           `json:"r,omitempty"`
	Start  *StartInput     `json:"s,omitempty"`
	Output json.RawMessage `json:"o,omitempty"`
	Error  string          `json:"e,omitempty"`
	Cause  string          `json:"c,omitempty"`
	// Answer is given in place of Output for a task of LambdaInvoke or
	// SQSSendMessage: what the function or the service has answered. Step puts the
	// SDK's response around it, of the request whose id is RequestID, which a host
	// gives again when it replays the event.
	Answer    json.RawMessage `json:"a,omitempty"`
	RequestID string          `json:"-"`
}

// StartInput is what an execution starts with. The identifiers show in the
// context object ($$) and in the history.
type StartInput struct {
	ExecutionID      string          `json:"id,omitempty"` // an ARN
	Name             string          `json:"n,omitempty"`
	StateMachineID   string          `json:"mid,omitempty"` // an ARN
	StateMachineName string          `json:"mn,omitempty"`
	RoleArn          string          `json:"ra,omitempty"`
	Input            json.RawMessage `json:"i,omitempty"` // {} if empty
	// Seed feeds full jitter, States.UUID and States.MathRandom.
	Seed uint64 `json:"sd,omitempty"`
}

// Command is what the host must do next: InvokeTask, SetTimer, CancelTask or
// Finish.
type Command interface{ command() }

// InvokeTask asks the host to run a task and to answer with TaskSucceeded,
// TaskFailed, TaskTimedOut or TaskHeartbeatTimedOut and the same Ref. The host
// counts the timeouts from the moment it really dispatches the task; 0 is none.
type InvokeTask struct {
	Ref      int64
	State    string
	Resource string // a service integration's has the partition aws
	// FunctionName is the name or the ARN of the function to invoke and Payload what
	// it is given, for LambdaInvoke and for a function's ARN.
	FunctionName string
	Payload      json.RawMessage
	// Parameters are those of another service.
	Parameters json.RawMessage
	Timeout    time.Duration
	Heartbeat  time.Duration
}

// SetTimer asks for TimerFired with the same Ref at At or as soon after it as
// possible: Wait states, retries and the machine's own timeout.
type SetTimer struct {
	Ref int64
	At  time.Time
}

// CancelTask says that the task's answer is no longer wanted. It may have run.
type CancelTask struct {
	Ref int64
}

// Finish ends the execution. It is always the last command.
type Finish struct {
	Status Status
	Output json.RawMessage // SUCCEEDED only
	Error  string
	Cause  string
}

func (InvokeTask) command() {}
func (SetTimer) command()   {}
func (CancelTask) command() {}
func (Finish) command()     {}

// Status is an execution's status, as DescribeExecution spells it.
type Status string

// An execution that has not started has the status "".
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	TimedOut  Status = "TIMED_OUT"
	Aborted   Status = "ABORTED"
)
