// Package tasktest holds one conformance suite for each contract of package
// task (Store, Queue, DeadLetterQueue, Executions, Metrics), and small
// in-memory implementations that pass them, for the tests of the handlers. Retries is
// what all tests count on that are not about the workflow that is compiled in.
//
// Every implementation runs the suites as they are. Where a contract allows an
// implementation to be eventually consistent, the suites ask again for a while.
package tasktest
