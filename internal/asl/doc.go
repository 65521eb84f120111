// Package asl runs state machines written in the Amazon States Language, with
// JSONPath, as AWS Step Functions does.
//
// It is a library without a clock, I/O or goroutines. Parse gives a Machine,
// which is immutable and shared; NewExecution gives the state of one execution;
// Step applies one event to it and gives what the host must do (commands) and
// what is new in the history:
//
//	        Start, TaskSucceeded, TaskFailed, TimerFired, ...
//	host ───────────────────────────────────────────────────▶ Step
//	 ▲                                                          │
//	 └──────────────────────────────────────────────────────────┘
//	        InvokeTask, SetTimer, CancelTask, Finish + history
//
// Everything that isn't determined by the machine comes in through events: the
// time, the seed for jitter and UUIDs, results of tasks. So a host that keeps
// the events of an execution has everything: replayed through Step they give
// the same state, commands and history again, byte by byte, and Pending then
// lists what to issue again after a crash, with the same Refs.
//
//	       Start
//	""  ─────────▶ RUNNING ──▶ SUCCEEDED   the last state ended
//	                      ├──▶ FAILED      an error that nobody caught
//	                      ├──▶ TIMED_OUT   the machine's TimeoutSeconds
//	                      └──▶ ABORTED     Abort
//
// # How an execution is built
//
// An Execution has threads: one for the machine, and one for each branch of a
// running Parallel state and each iteration of a running Map state, below the
// thread that runs that state. A thread is in a state and in a phase:
//
//	┌─▶ enter ──▶ execute ──▶ dispatch (tasks) ──▶ waiting ──▶ exit ─┐
//	│                ▲                                │              │
//	│                └───────────── retry ────────────┘              │
//	└───────────────────────── the next state ◀─────────────────────┘
//
// Step finds the thread that waits for the event, lets it go on, and then runs
// every thread that is ready, in the order in which they became so, until all
// wait or the execution has ended.
//
// # Where things are
//
//   - event.go, history.go, execution.go: the API and Step; thread.go, waits.go:
//     how an execution goes on and what it waits for
//   - machine.go, parse.go, fields.go, link.go: parsing and validation; every
//     problem, with its place (position.go); integration.go: parameters of
//     services, and what is around their answers
//   - state_*.go: one file for each state type, its fields and its work;
//     children.go is what Parallel and Map share
//   - io.go: the order of input and output processing; context.go: $$
//   - retry.go, failure.go: retriers, catchers, error names and causes
//   - path*.go: JSONPath in Jayway's flavour; intrinsic*.go: the States.*
//     functions; expression.go: a path or a function; template.go: payload
//     templates; variables.go: Assign
//   - value.go, decode.go, encode.go: JSON values that keep order and numbers
//
// What Step Functions does that its documentation leaves open was settled by
// executions recorded on it: see TestCorpus. Comments say "recorded on Step
// Functions" where that decided.
package asl
