// Package taskdb keeps everything that the one-machine host must not forget in
// one SQLite file: the task records, the task queue, the dead letter queue, the
// journals of the workflow executions, the metrics. It fulfils the contracts
// Store, Queue, DeadLetterQueue and Metrics of package task.
//
// # Layout
//
// A task is one row of table tasks, and that row is also its queue message and
// its execution:
//
//   - the record: status, run, attempts, ...
//   - visible_at and receives: the message of the row's run, while it is on the
//     queue. Creating a task and queueing its message are one insert.
//   - execution, definition and journal: the workflow execution of the row's
//     run and the events that drove it, in order. Replaying them gives its
//     state and its history.
//
// So a task that succeeds at once costs one insert and two updates of one row, all of
// them small: an answer of more than maxInlineAnswer bytes lives in table answers. Two
// partial indexes, on live and on dead tasks, serve the start of the host, reconcile
// and the listings; a processed task is in neither.
//
// # Writing
//
// One goroutine writes (see writer). It takes whatever operations wait, and those
// that come while others run, applies them to the rows in memory, writes each row
// that changed once, commits, and then answers: many callers share one fsync, and none
// waits for a timer.
//
// What a workflow does in a row is a Chain (chain.go), of which the early steps are
// answered when they are applied. A row that only such a step has changed is left to
// the next transaction, so that the start of an execution and its first claim are one
// write, and so are an outcome and the execution's next step. A new task's message is
// there to be received when the task is applied, and mostly its creation, the start and
// the claim share a commit.
//
// A row that was read stays in a cache while it is live, and the start of an execution
// reads those of the next live tasks, too. Readers have connections of their own and
// see what was committed.
package taskdb
